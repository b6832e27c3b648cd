/** The table of what is downloaded: sizes before, progress while, and what is kept for offline use. */

import { buildFor, type Device, hasWebgpu, type Prior } from "invcomp-decoder";
import { create, element, megabytes, say } from "./dom";
import { download, whenKept } from "./offline";
import { type Entry, filesOf, type Priors, type Progress } from "./priors";

interface Row {
  state: HTMLElement;
  progress: HTMLProgressElement;
  bytes: number;
}

export class Downloads {
  private readonly rows = new Map<string, Row>();

  /** `kept`: whether a service worker keeps what is downloaded. */
  constructor(
    private readonly priors: Priors,
    private readonly devices: readonly Device[],
    private readonly kept: boolean,
  ) {
    for (const { id, name, domain, licence, bytes } of priors.entries) {
      this.add(id, [create("td", {}, name, create("small", {}, id.slice(0, 12))), domain, licence], bytes);
    }
  }

  /** Download all that decoding takes, one after another, so that it is there without a network. */
  async fetchAll(): Promise<void> {
    const device = this.devices.includes("webgpu") && (await hasWebgpu()) ? "webgpu" : "wasm";
    const runtime = this.priors.runtimes[buildFor(device)];
    const of = device === "webgpu" ? "WebGPU" : "WebAssembly";
    this.add("runtime", [create("td", {}, "ONNX Runtime", create("small", {}, `for ${of}`)), "runs the priors", "MIT"], runtime.bytes);
    const total = this.priors.entries.reduce((sum, { bytes }) => sum + bytes, runtime.bytes);
    const metered = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
    if (!this.kept || metered) {
      const why = this.kept ? "Your browser saves data" : "This browser keeps nothing of this page (it does on https pages)";
      say("offline", `${why}, so each is downloaded when a file needs it.`);
      return;
    }
    say("offline", `${megabytes(total)} in all are being downloaded, so that this page works offline.`);
    try {
      await this.follow("runtime", (progress) => download(runtime.address, progress));
      for (const entry of this.priors.entries) await this.load(entry);
      await whenKept([runtime.address, ...this.priors.entries.flatMap(filesOf)]);
      say("offline", `${megabytes(total)} in all are kept by your browser: this page works offline.`);
    } catch {
      say("offline", "Not all could be downloaded and kept, so this page does not work offline yet; reload it to try again.");
    }
  }

  /** The prior of an entry, downloaded if it is not there. */
  load(entry: Entry, progress: Progress = () => {}): Promise<Prior> {
    return this.follow(entry.id, (arrived) =>
      this.priors.load(entry, (loaded) => {
        arrived(loaded);
        progress(loaded);
      }),
    );
  }

  private async follow<T>(key: string, fetched: (progress: Progress) => Promise<T>): Promise<T> {
    const row = this.rows.get(key)!;
    try {
      const found = await fetched((loaded) => {
        row.progress.hidden = false;
        row.progress.value = loaded / row.bytes;
        row.state.textContent = `${Math.min(100, Math.floor((100 * loaded) / row.bytes))} %`;
      });
      row.state.textContent = this.kept ? "ready, kept offline" : "ready";
      return found;
    } catch (error) {
      row.state.textContent = "failed";
      throw error;
    } finally {
      row.progress.hidden = true;
    }
  }

  private add(key: string, cells: (HTMLElement | string)[], bytes: number): void {
    const state = create("span", {}, "not yet");
    const progress = create("progress", { max: 1, hidden: true, ariaLabel: "downloaded" });
    const row = create("tr", {}, ...cells.map((cell) => (typeof cell === "string" ? create("td", {}, cell) : cell)));
    row.append(create("td", {}, megabytes(bytes)), create("td", {}, state, progress));
    element("priors").append(row);
    this.rows.set(key, { state, progress, bytes });
  }
}
