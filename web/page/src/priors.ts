/** The priors and runtimes that the page was built with: which one a file needs, and how much of it has arrived. */

import { type Build, type Device, idBytes, InvcompError, loadPrior } from "invcomp-decoder";
import { type Prior, readContainer, readHeader, shortId } from "invcomp-decoder";

/** An entry of `priors/index.json`. */
export interface Entry {
  name: string;
  id: string;
  domain: string;
  licence: string;
  address: string;
  /** Names of its files. */
  files: string[];
  /** Of them all. */
  bytes: number;
}

/** The addresses of its files. */
export function filesOf({ address, files }: Entry): string[] {
  return files.map((name) => address + name);
}

/** A file of `runtimes.json`. */
export interface Runtime {
  address: string;
  bytes: number;
}

/** Bytes that have arrived. */
export type Progress = (loaded: number) => void;

export class Priors {
  private readonly loading = new Map<string, { prior: Promise<Prior>; listeners: Progress[] }>();

  constructor(
    readonly entries: Entry[],
    readonly runtimes: Record<Build, Runtime>,
    private readonly devices: readonly Device[],
  ) {}

  /** Those that the page was built with. Throws `InvcompError` if they cannot be had. */
  static async ofPage(devices: readonly Device[]): Promise<Priors> {
    const names = ["priors/index.json", "runtimes.json"];
    try {
      const lists = names.map(async (name) => (await fetch(name, { cache: "no-cache" })).json());
      const [entries, runtimes] = await Promise.all(lists);
      return new Priors(entries, runtimes, devices);
    } catch {
      throw new InvcompError("the page's list of priors cannot be had; reload the page when there is a connection");
    }
  }

  /** The prior that a file was written with. Throws `InvcompError` if the page does not have it. */
  entryFor(data: Uint8Array, name: string): Entry {
    const { shortId: wanted } = readHeader(data, name);
    const candidates = this.entries.filter(({ id }) => shortId(idBytes(id)) === wanted);
    const fitting = candidates.find(({ id }) => agrees(data, idBytes(id))) ?? candidates[0];
    if (fitting) return fitting;
    const there = this.entries.map((entry) => entry.name).join(", ");
    const bits = `0x${wanted.toString(16).padStart(3, "0")}`;
    const id = `${bits} (11 bits)`;
    const fact = `needs a prior whose id begins with ${id}, which this page does not have (it has ${there})`;
    throw new InvcompError(`${name} ${fact}; build the page with it, or use invcomp decompress`);
  }

  /** A prior, downloaded once; all who wait for it hear of its progress. */
  load({ id, address }: Entry, progress: Progress): Promise<Prior> {
    const known = this.loading.get(id);
    known?.listeners.push(progress);
    if (known) return known.prior;
    const listeners = [progress];
    const onProgress = (loaded: number) => listeners.forEach((listener) => listener(loaded));
    const prior = loadPrior(new URL(address, document.baseURI), { devices: this.devices, onProgress });
    this.loading.set(id, { prior, listeners });
    prior.catch(() => this.loading.delete(id)); // may go better another time
    return prior;
  }
}

/** Whether the checksum of a file, or of the first of its levels, is that of a prior. */
function agrees(data: Uint8Array, id: Uint8Array): boolean {
  try {
    readContainer(data, id, "", true);
    return true;
  } catch {
    return false;
  }
}
