/** Golden files, and pictures that Python decodes them to. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";

export const GOLDEN = join(import.meta.dirname, "..", "..", "..", "tests", "golden");

/** Names without suffix of the files of the priors `faces` and `faces-64`. */
export const SHIPPED = readdirSync(GOLDEN)
  .filter((name) => /^v1-(829ec035|067fd180|faces)-.*\.inv$/.test(name))
  .map((name) => name.slice(0, -4));

export function golden(stem: string): Uint8Array {
  return new Uint8Array(readFileSync(join(GOLDEN, `${stem}.inv`)));
}

export function picture(stem: string): { width: number; height: number; data: Uint8Array } {
  return PNG.sync.read(readFileSync(join(GOLDEN, `${stem}.png`)));
}

/** The largest difference between the values of two pictures of one size. */
export function largestDifference(
  found: { width: number; height: number; data: ArrayLike<number> },
  expected: { width: number; height: number; data: ArrayLike<number> },
): number {
  if (found.width !== expected.width || found.height !== expected.height) return Infinity;
  let most = 0;
  for (let n = 0; n < found.data.length; n++) most = Math.max(most, Math.abs(found.data[n] - expected.data[n]));
  return most;
}
