/** What tests read: vectors made by the Python package, golden files, and priors. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { type Container, loadPrior, type Prior } from "../src/index.js";

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
export const STEMS = readdirSync(GOLDEN).filter((name) => name.endsWith(".inv")).map((name) => name.slice(0, -4));

/** The three files of an exported prior; of superseded ones only the tables are there. */
export function priorFiles(key: string): Record<"prior.json" | "tables.json" | "generator.onnx", Uint8Array> {
  const read = (name: string) => new Uint8Array(readFileSync(join(PRIORS, key, name)));
  const generator = existsSync(join(PRIORS, key, "generator.onnx")) ? read("generator.onnx") : new Uint8Array();
  return { "prior.json": read("prior.json"), "tables.json": read("tables.json"), "generator.onnx": generator };
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

/** The pixels of a PNG file, 4 bytes each. */
export function png(...path: string[]): { width: number; height: number; data: Uint8Array } {
  return PNG.sync.read(readFileSync(join(...path)));
}

/** The largest difference between the values of two pictures of one size. */
export function largestDifference(found: { data: ArrayLike<number> }, expected: { data: ArrayLike<number> }): number {
  if (found.data.length !== expected.data.length) return Infinity;
  let most = 0;
  for (let n = 0; n < found.data.length; n++) most = Math.max(most, Math.abs(found.data[n] - expected.data[n]));
  return most;
}
