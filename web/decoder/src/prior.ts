/** A prior as `invcomp export-decoder` writes it: `prior.json`, `tables.json`, `generator.onnx`. */

import { type Architecture, readArchitecture } from "./architecture.js";
import { PriorError } from "./errors.js";
import { Generator } from "./generator.js";
import type { Device } from "./runtime.js";
import { sha256 } from "./sha256.js";
import { FORMAT, type LevelTables, readTables } from "./tables.js";

/** Names of the files of a prior. */
export const PRIOR_FILES = ["prior.json", "tables.json", "generator.onnx"] as const;
type Name = (typeof PRIOR_FILES)[number];
type Bytes = Uint8Array<ArrayBuffer>;
/** Bytes of a file. */
const MOST: Record<Name, number> = { "prior.json": 1 << 20, "tables.json": 1 << 28, "generator.onnx": 1 << 30 };

/** What `prior.json` says. */
export interface PriorInfo {
  name: string;
  /** SHA-256 of the prior's `generator.safetensors`, hexadecimal. */
  id: string;
  domain: string;
  licence: string;
  /** SHA-256 of `tables.json` and `generator.onnx`, hexadecimal. */
  files: Record<string, string>;
}

export interface Prior {
  info: PriorInfo;
  /** The 32 bytes of its id. */
  id: Uint8Array;
  architecture: Architecture;
  tables: LevelTables[];
  generator: Generator;
}

/** Where a prior is: the address of its folder, its three files by name, or files that have these names. */
export type PriorSource = string | URL | Record<Name, Blob | ArrayBuffer | Uint8Array> | Iterable<File>;

export interface LoadOptions {
  /** Called with bytes that have arrived and, where the server says it, how many there are. */
  onProgress?: (loaded: number, total: number | null) => void;
  /** What may compute, the best first; by default WebGPU where there is one, then WebAssembly. */
  devices?: readonly Device[];
}

/** A prior, whose parts belong together. Throws `PriorError`. */
export async function loadPrior(source: PriorSource, options: LoadOptions = {}): Promise<Prior> {
  const files = await filesOf(source, options.onProgress ?? (() => {}));
  const info = readInfo(parse(files["prior.json"], "prior.json"));
  for (const name of ["tables.json", "generator.onnx"] as const) {
    if ((await sha256(files[name])) !== info.files[name]) {
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
  return { info, id: idBytes(info.id), architecture, tables, generator };
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

async function filesOf(source: PriorSource, onProgress: (loaded: number, total: number | null) => void) {
  if (typeof source === "string" || source instanceof URL) return download(String(source), onProgress);
  const given = Symbol.iterator in source ? Object.fromEntries([...source].map((file) => [file.name, file])) : source;
  const entries = PRIOR_FILES.map(async (name) => {
    const file = (given as Partial<Record<Name, Blob | ArrayBuffer | Uint8Array>>)[name];
    if (!file)
      throw new PriorError(
        `${name} is missing: a prior is ${PRIOR_FILES.join(", ")}, as invcomp export-decoder writes`,
      );
    return [name, new Uint8Array(file instanceof Blob ? await file.arrayBuffer() : file)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<Name, Bytes>;
}

/** The files of the folder at an address. */
async function download(folder: string, onProgress: (loaded: number, total: number | null) => void) {
  const base = folder.endsWith("/") ? folder : `${folder}/`;
  const responses = await Promise.all(PRIOR_FILES.map((name) => request(base + name)));
  const lengths = responses.map(({ headers }) =>
    headers.get("Content-Encoding") ? 0 : Number(headers.get("Content-Length")),
  );
  const total = lengths.every(Boolean) ? lengths.reduce((sum, length) => sum + length) : null;
  let loaded = 0;
  const arrived = (bytes: number) => onProgress((loaded += bytes), total);
  const bodies = PRIOR_FILES.map(async (name, n) => [name, await body(responses[n], name, arrived)] as const);
  return Object.fromEntries(await Promise.all(bodies)) as Record<Name, Bytes>;
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
