/** The table of what is downloaded: sizes before, progress while, and what is kept for offline use. */

import { buildFor, type Device, hasWebgpu, type Prior } from "invcomp-decoder";
import { create, element, megabytes, say } from "./dom";
import { download, type Keeping, whenKept } from "./offline";
import { type Entry, filesOf, type Priors, type Progress } from "./priors";

interface Row {
  state: HTMLElement;
  progress: HTMLProgressElement;
  bytes: number;
}

const NOT_KEPT = {
  never: "This browser keeps nothing of this page (it does on https pages)",
  "next time": "This visit went past what your browser keeps of this page (reload it as usual to use that)",
};
const WHEN_NEEDED = ", so each is downloaded when a file needs it.";

export class Downloads {
  private readonly rows = new Map<string, Row>();

  constructor(
    private readonly priors: Priors,
    private readonly devices: readonly Device[],
    private readonly keeping: Keeping,
  ) {
    for (const { id, name, domain, licence, bytes } of priors.entries) {
      this.add(id, [create("td", {}, name, create("small", {}, id.slice(0, 12))), domain, licence], bytes);
    }
  }

  /** Download all that decoding takes, one after another, so that it is there without a network. */
  async fetchAll(): Promise<void> {
    const device = this.devices.includes("webgpu") && (await hasWebgpu(this.devices.length === 1)) ? "webgpu" : "wasm";
    const runtime = this.priors.runtimes[buildFor(device)];
    const of = device === "webgpu" ? "WebGPU" : "WebAssembly";
    this.add(
      "runtime",
      [create("td", {}, "ONNX Runtime", create("small", {}, `for ${of}`)), "runs the priors", "MIT"],
      runtime.bytes,
    );
    const total = this.priors.entries.reduce((sum, { bytes }) => sum + bytes, runtime.bytes);
    const metered = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
    if (this.keeping !== "now" || metered) {
      say("offline", `${this.keeping === "now" ? "Your browser saves data" : NOT_KEPT[this.keeping]}${WHEN_NEEDED}`);
      return;
    }
    say("offline", `${megabytes(total)} in all are being downloaded, so that this page works offline.`);
    try {
      await this.follow("runtime", (progress) => download(runtime.address, progress));
      const loaded = [];
      for (const entry of this.priors.entries) loaded.push(await this.load(entry));
      const runs = await loaded[0].generator.start(); // a GPU may turn out to be of no use
      await whenKept([this.priors.runtimes[buildFor(runs)].address, ...this.priors.entries.flatMap(filesOf)]);
      say("offline", `${megabytes(total)} in all are kept by your browser: this page works offline.`);
    } catch {
      say(
        "offline",
        "Not all could be downloaded and kept, so this page does not work offline yet; reload it to try again.",
      );
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
      row.state.textContent = this.keeping === "now" ? "ready, kept offline" : "ready";
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
