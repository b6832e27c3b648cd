/**
 * A prior as `invcomp export-decoder` writes it: `prior.json`, `tables.json`, `generator.onnx`, and, where `prior.json`
 * names it, `factors.safetensors`.
 */

import { type Architecture, readArchitecture } from "./architecture.js";
import { PriorError } from "./errors.js";
import { type Factors, readFactors } from "./factors.js";
import { Generator } from "./generator.js";
import type { Device } from "./runtime.js";
import { sha256 } from "./sha256.js";
import { FORMAT, type LevelTables, readTables } from "./tables.js";

const OTHERS = ["tables.json", "generator.onnx"] as const;
const FACTORS = "factors.safetensors";
/** Names of the files that every prior has. */
export const PRIOR_FILES = ["prior.json", ...OTHERS] as const;
type Always = (typeof PRIOR_FILES)[number];
type Name = Always | typeof FACTORS;
type Other = Exclude<Name, "prior.json">;
type Given = Blob | ArrayBuffer | Uint8Array;
type Bytes = Uint8Array<ArrayBuffer>;
type Files = Record<(typeof OTHERS)[number], Bytes> & { [FACTORS]?: Bytes };
/** Bytes of a file. */
const MOST: Record<Name, number> = {
  "prior.json": 1 << 20,
  "tables.json": 1 << 28,
  "generator.onnx": 1 << 30,
  [FACTORS]: 1 << 26,
};

/** What `prior.json` says. */
export interface PriorInfo {
  name: string;
  /** SHA-256 of the prior's `generator.safetensors`, hexadecimal. */
  id: string;
  domain: string;
  licence: string;
  /** SHA-256 of the other files, hexadecimal. */
  files: Record<string, string>;
}

export interface Prior {
  info: PriorInfo;
  /** The 32 bytes of its id. */
  id: Uint8Array;
  architecture: Architecture;
  tables: LevelTables[];
  generator: Generator;
  /** What fills the levels of a file that are not there; without it they are zero. */
  factors: Factors | null;
}

/** Where a prior is: the address of its folder, its files by name, or files that have these names. */
export type PriorSource = string | URL | (Record<Always, Given> & { [FACTORS]?: Given }) | Iterable<File>;

export interface LoadOptions {
  /** Called with bytes that have arrived and, where the server says it, how many there are. */
  onProgress?: (loaded: number, total: number | null) => void;
  /** What may compute, the best first; by default WebGPU where there is one, then WebAssembly. */
  devices?: readonly Device[];
}

/** A prior, whose parts belong together. Throws `PriorError`. */
export async function loadPrior(source: PriorSource, options: LoadOptions = {}): Promise<Prior> {
  const { info, files } = await filesOf(source, options.onProgress ?? (() => {}));
  for (const name of othersOf(info)) {
    if ((await sha256(files[name]!)) !== info.files[name]) {
      const fact = `its SHA-256 is not the one in prior.json`;
      throw new PriorError(`${name} is damaged or of another prior than ${info.name}: ${fact}; export the prior again`);
    }
  }
  const said = parse(files["tables.json"], "tables.json");
  if (said.format !== FORMAT) {
    throw new PriorError(`tables.json has format ${String(said.format)}; this program reads format ${FORMAT}`);
  }
  const architecture = readArchitecture(table(said.architecture, "tables.json"));
  const tables = readTables(table(said.tensors, "tables.json"), architecture);
  const generator = new Generator(files["generator.onnx"], architecture, options.devices ?? ["webgpu", "wasm"]);
  const factors = files[FACTORS] ? readFactors(files[FACTORS], architecture) : null;
  return { info, id: idBytes(info.id), architecture, tables, generator, factors };
}

/** Names of the files of a prior, of whose `prior.json` only the hashes are asked. */
export function namesOf(info: Pick<PriorInfo, "files">): Name[] {
  return ["prior.json", ...othersOf(info)];
}

function othersOf({ files }: Pick<PriorInfo, "files">): Other[] {
  return [...OTHERS, ...(Object.hasOwn(files, FACTORS) ? ([FACTORS] as const) : [])];
}

/** The 32 bytes of an id that is written in hexadecimal. */
export function idBytes(id: string): Uint8Array {
  return Uint8Array.from(id.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** What a `prior.json` says. Throws `PriorError`. */
export function readInfo(data: Record<string, unknown>): PriorInfo {
  const { name, id, domain, licence, files } = data;
  const texts = [name, id, domain, licence].every((value) => typeof value === "string");
  if (!texts || !/^[0-9a-f]{64}$/.test(id as string)) {
    throw new PriorError("prior.json is damaged: it does not say name, id, domain and licence; export the prior again");
  }
  return { name, id, domain, licence, files: table(files, "prior.json") } as PriorInfo;
}

function parse(data: Uint8Array, name: string): Record<string, unknown> {
  try {
    return table(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data)), name);
  } catch (error) {
    if (error instanceof PriorError) throw error;
    throw new PriorError(`${name} is damaged: it is no JSON; export the prior again`);
  }
}

function table(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PriorError(`${name} is damaged: a part of it is of another kind; export the prior again`);
  }
  return value as Record<string, unknown>;
}

/** What `prior.json` says, and the files that it names. */
interface Found {
  info: PriorInfo;
  files: Files;
}

async function filesOf(source: PriorSource, onProgress: (loaded: number, total: number | null) => void) {
  if (typeof source === "string" || source instanceof URL) return download(String(source), onProgress);
  const given: Partial<Record<Name, Given>> =
    Symbol.iterator in source ? Object.fromEntries([...source].map((file) => [file.name, file])) : source;
  const read = async (name: Name): Promise<Bytes> => {
    const file = given[name];
    if (!file) {
      const all = [...new Set([...PRIOR_FILES, name])].join(", ");
      throw new PriorError(`${name} is missing: a prior is ${all}, as invcomp export-decoder writes`);
    }
    return new Uint8Array(file instanceof Blob ? await file.arrayBuffer() : file);
  };
  const info = readInfo(parse(await read("prior.json"), "prior.json"));
  return gathered(info, othersOf(info).map(read));
}

/** The files of the folder at an address. */
async function download(folder: string, onProgress: (loaded: number, total: number | null) => void): Promise<Found> {
  const base = folder.endsWith("/") ? folder : `${folder}/`;
  const card = await body(await request(`${base}prior.json`), "prior.json", () => {});
  const info = readInfo(parse(card, "prior.json"));
  const names = othersOf(info);
  const responses = await Promise.all(names.map((name) => request(base + name)));
  const lengths = responses.map(({ headers }) =>
    headers.get("Content-Encoding") ? 0 : Number(headers.get("Content-Length")),
  );
  const total = lengths.every(Boolean) ? lengths.reduce((sum, length) => sum + length, card.length) : null;
  let loaded = card.length;
  const arrived = (bytes: number) => onProgress((loaded += bytes), total);
  return gathered(
    info,
    names.map((name, n) => body(responses[n], name, arrived)),
  );
}

async function gathered(info: PriorInfo, others: Promise<Bytes>[]): Promise<Found> {
  const found = await Promise.all(others);
  return { info, files: Object.fromEntries(othersOf(info).map((name, n) => [name, found[n]])) as Files };
}

async function request(url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    throw new PriorError(`${url} cannot be had: there is no connection; try again when there is one`);
  }
  if (!response.ok) throw new PriorError(`${url} cannot be had: the server answers ${response.status}`);
  return response;
}

async function body(response: Response, name: Name, arrived: (bytes: number) => void): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const reader = response.body!.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      length += next.value.length;
      if (length > MOST[name]) throw new PriorError(`${name} is larger than the ${MOST[name] >> 20} MB of a prior's`);
      arrived(next.value.length);
    }
  } catch (error) {
    if (error instanceof PriorError) throw error;
    throw new PriorError(`${name} did not arrive whole: the connection broke off; try again`);
  }
  const data = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    data.set(chunk, at);
    at += chunk.length;
  }
  return data;
}
