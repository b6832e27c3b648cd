/** What tests read: vectors made by the Python package, golden files, and priors. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { type Container, type Level, loadPrior, namesOf, type Prior, type PRIOR_FILES } from "../src/index.js";

export const ROOT = join(import.meta.dirname, "..", "..", "..");
export const GOLDEN = join(ROOT, "tests", "golden");
/** Tables of the priors of golden files, and whole exports of those that ship: `make web-test` writes them. */
export const PRIORS = join(ROOT, "web", "build", "golden");

export function json<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), "utf-8"));
}

export function vectors<T>(name: string): T {
  return json(import.meta.dirname, "vectors", `${name}.json`);
}

export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function goldenFile(stem: string): Uint8Array {
  return new Uint8Array(readFileSync(join(GOLDEN, `${stem}.inv`)));
}

/** Names of golden files without suffix: VERSION-PRIOR-CASE. */
export const STEMS = readdirSync(GOLDEN)
  .filter((name) => name.endsWith(".inv"))
  .map((name) => name.slice(0, -4));

/** The ids of the priors that ship, and what stands for each in the names of golden files. */
export const IDS = { faces: idOf("faces"), "faces-64": idOf("faces-64") };
export const FACES = IDS.faces.slice(0, 8);
export const FACES_64 = IDS["faces-64"].slice(0, 8);

function idOf(name: string): string {
  return json<{ id: string }>(ROOT, "pretrained", name, "prior.json").id;
}

/** Those of the priors `faces` and `faces-64`. */
export const SHIPPED = STEMS.filter((stem) => [FACES, FACES_64, "faces"].includes(stem.split("-")[1]));

/** The files of an exported prior; of superseded ones only the tables are there, and an empty generator. */
export function priorFiles(key: string): Record<(typeof PRIOR_FILES)[number], Uint8Array> {
  const read = (name: string) => new Uint8Array(readFileSync(join(PRIORS, key, name)));
  const names = namesOf(json(PRIORS, key, "prior.json"));
  return Object.fromEntries(names.map((name) => [name, read(name)])) as ReturnType<typeof priorFiles>;
}

export function goldenPrior(key: string): Promise<Prior> {
  return loadPrior(priorFiles(key), { devices: ["wasm"] });
}

/** Why a golden prior is not there; null if it is. */
export function missing(key: string): string | null {
  if (existsSync(join(PRIORS, key, "tables.json"))) return null;
  const reasons = existsSync(join(PRIORS, "missing.json")) ? json<Record<string, string>>(PRIORS, "missing.json") : {};
  return reasons[key] ?? "run make web-test, which writes the tables";
}

/** What `tests/golden_files.py` calls the fields of a file. */
export function fieldsOf(content: Container): Record<string, unknown> {
  const { size, placement, parts } = content;
  const place = placement && [placement.size.width, placement.size.height, ...placement.centre, ...placement.half];
  return {
    ...(content.checksum === 1 && { checksum: 1 }),
    ...(content.foreign && { foreign: content.foreign }),
    rate: content.rate,
    tail: content.tail,
    size: size && [size.width, size.height],
    levels: content.levels,
    placement: place,
    parts: parts && parts.map((part) => part.length),
  };
}

export interface Picture {
  width: number;
  height: number;
  /** 4 bytes a pixel. */
  data: ArrayLike<number>;
}

/** The picture of a PNG file. */
export function png(...path: string[]): Picture {
  return PNG.sync.read(readFileSync(join(...path)));
}

/** What Python makes of a golden file that is cut off after a level. */
export interface Cut {
  stem: string;
  /** Of the file, up to the cut. */
  bytes: number;
  /** SHA-256 of the factors that it was made with. */
  factors: string;
  /** SHA-256 of the symbols of all levels. */
  symbols: string;
  /** Of what is painted of every level, each `every`th number. */
  numbers: number[][];
  every: number;
  /** The PNG file, in base64. */
  picture: string;
}

export function pictureOf({ picture }: Cut): Picture {
  return PNG.sync.read(Buffer.from(picture, "base64"));
}

/** SHA-256 of the symbols of all levels, coarse to fine, as 32-bit integers, little endian. */
export function digestOf(levels: Level[]): string {
  const hash = createHash("sha256");
  for (const level of levels) hash.update(new Uint8Array(level.symbols.buffer));
  return hash.digest("hex");
}

/** The largest difference between the values of two pictures; infinite if their sizes differ. */
export function largestDifference(found: Picture, expected: Picture): number {
  if (found.width !== expected.width || found.height !== expected.height) return Infinity;
  let most = 0;
  for (let n = 0; n < found.data.length; n++) most = Math.max(most, Math.abs(found.data[n] - expected.data[n]));
  return most;
}

/** A tensor of a safetensors file. */
export interface Stored {
  dtype: string;
  shape: number[];
  data: Float32Array | Int8Array;
}

export function f32(shape: number[], number: (n: number) => number): Stored {
  return {
    dtype: "F32",
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, n) => number(n)),
  };
}

/** A safetensors file of these tensors; `edit` may change its header. */
export function tensorFile(
  tensors: Record<string, Stored>,
  edit: (header: any) => void = () => {},
): Uint8Array<ArrayBuffer> {
  const bodies = Object.values(tensors).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    return [name, { dtype, shape, data_offsets: [at, (at += data.byteLength)] }];
  });
  const header = Object.fromEntries(entries);
  edit(header);
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(Buffer.concat([length, text, ...bodies]));
}

/** Tensors of a made factor analysis of `residuals` numbers in `channels` channels, by `count` factors at `rates` rates. */
export function madeFactors(residuals: number, channels: number, count: number, rates: number): Record<string, Stored> {
  const loadings = Int8Array.from({ length: residuals * count }, (_, n) => ((n * n * 7 + n * 31) % 251) - 125);
  return {
    mean: f32([residuals], (n) => Math.sin(n) / 3),
    noise: f32([residuals], (n) => 0.3 + 0.2 * Math.cos(5 * n)),
    loadings: { dtype: "I8", shape: [residuals, count], data: loadings },
    scale: f32([count], (k) => 0.01 / (1 + k)),
    steps: f32([rates, channels], (n) => 0.4 + 0.1 * Math.sin(3 * n)),
  };
}
