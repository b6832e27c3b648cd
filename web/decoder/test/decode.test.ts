/** Whole files to pixels: onnxruntime-web runs in Node as it does in a browser without WebGPU. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decode, info, InvcompError, type Prior, readHeader, shortId, UsageError } from "../src/index.js";
import {
  FACES,
  FACES_64,
  GOLDEN,
  goldenFile,
  goldenPrior,
  IDS,
  json,
  largestDifference,
  png,
  PRIORS,
  SHIPPED,
} from "./helpers.js";

const loaded = new Map<string, Promise<Prior>>();

function priorOf(key: string): Promise<Prior> {
  if (!loaded.has(key)) loaded.set(key, goldenPrior(key));
  return loaded.get(key)!;
}

describe("pixels of golden files lie within 1 of Python's", () => {
  test.each(SHIPPED.filter((stem) => !stem.includes("foreign")))("%s", async (stem) => {
    const picture = await decode(goldenFile(stem), await priorOf(stem.split("-")[1]));
    expect(largestDifference(picture, png(GOLDEN, `${stem}.png`))).toBeLessThanOrEqual(1);
  });

  const free = join(PRIORS, "free");
  test.each(readdirSync(free).filter((name) => name.endsWith(".inv")))("%s of a prior of free size", async (name) => {
    const picture = await decode(new Uint8Array(readFileSync(join(free, name))), await priorOf("free"));
    expect(largestDifference(picture, png(free, name.replace(".inv", ".png")))).toBeLessThanOrEqual(1);
  });
});

test("native is the prior's own size, and size the longer side", async () => {
  const prior = await priorOf(FACES);
  const wide = goldenFile(`v1-${FACES}-wide`);
  const sizeOf = async (options: object) => {
    const { width, height } = await decode(wide, prior, options);
    return [width, height];
  };
  expect(await sizeOf({})).toEqual([90, 40]);
  expect(await sizeOf({ native: true })).toEqual([128, 128]);
  expect(await sizeOf({ size: 45 })).toEqual([45, 20]);
  expect(await sizeOf({ size: 300 })).toEqual([300, 133]);
});

test("levels leaves out the finer ones, and partial shows a cut file likewise", async () => {
  const prior = await priorOf(FACES);
  const data = goldenFile(`v1-${FACES}-progressive`);
  const { cutPoints } = info(data, prior);
  const whole = await decode(data, prior);
  const two = await decode(data, prior, { levels: 2 });
  expect(largestDifference(two, whole)).toBeGreaterThan(10);
  const cut = data.subarray(0, cutPoints![1]);
  expect(largestDifference(await decode(cut, prior, { partial: true }), two)).toBe(0);
  const further = data.subarray(0, cutPoints![1] + 5);
  expect(largestDifference(await decode(further, prior, { partial: true }), two)).toBe(0);
});

test("a foreign file needs a browser, and says so", async () => {
  const prior = await priorOf(FACES);
  await expect(decode(goldenFile(`v1-${FACES}-foreign-webp`), prior, { name: "x.inv" })).rejects.toThrow(
    "x.inv holds a WebP picture, which only a browser can decode; use invcomp decompress",
  );
});

test.each([
  [{ levels: 0 }, "the prior faces has 1 to 5 levels, not 0"],
  [{ levels: 6 }, "the prior faces has 1 to 5 levels, not 6"],
  [{ levels: 1.5 }, "the prior faces has 1 to 5 levels, not 1.5"],
  [{ size: 0 }, "the size of a picture lies between 1 and 4096 pixels, not 0"],
  [{ size: 5000 }, "the size of a picture lies between 1 and 4096 pixels, not 5000"],
  [{ size: 10, native: true }, "the prior's own size and another one cannot both be had: give one of native and size"],
])("%j is refused", async (options, sentence) => {
  const prior = await priorOf(FACES);
  await expect(decode(goldenFile(`v1-${FACES}-q0-0`), prior, options)).rejects.toThrow(sentence);
});

test.each([
  ["oEFA", "a String"],
  [undefined, "undefined"],
])("%j in place of bytes is refused", async (bytes, kind) => {
  const refusal = decode(bytes as unknown as Uint8Array, await priorOf(FACES));
  await expect(refusal).rejects.toThrow(`the bytes of a file are a Uint8Array or an ArrayBuffer, not ${kind}`);
  await expect(refusal).rejects.toBeInstanceOf(UsageError);
});

test("several decodes at once agree with one after another", async () => {
  const prior = await priorOf(FACES);
  const data = ["q0-0", "q36-1", "wide"].map((name) => goldenFile(`v1-${FACES}-${name}`));
  const together = await Promise.all(data.map((file) => decode(file, prior)));
  for (const [n, file] of data.entries()) expect(largestDifference(together[n], await decode(file, prior))).toBe(0);
});

test("a file of another prior is refused", async () => {
  const prior = await priorOf(FACES_64);
  const data = goldenFile(`v1-${FACES}-q0-0`);
  expect(readHeader(data).shortId).not.toBe(shortId(prior.id));
  const refusal = decode(data, prior, { name: "face.inv" });
  await expect(refusal).rejects.toThrow("face.inv was written with another prior; load that one");
  await expect(refusal).rejects.toBeInstanceOf(InvcompError);
});

test("info says what a file says", async () => {
  const stem = `v1-${FACES}-every-field`;
  const data = goldenFile(stem);
  const first = parseInt(IDS.faces.slice(0, 3), 16) >> 1; // 11 bits of the id
  expect(info(data)).toEqual({ bytes: data.length, version: 1, checksumBits: 16, shortId: first, rate: 4 });
  const { parts } = json<Record<string, { parts: number[] }>>(GOLDEN, "fields.json")[stem];
  expect(info(data, await priorOf(FACES))).toMatchObject({
    prior: "faces",
    size: { width: 90, height: 40 },
    levels: 3,
    cutPoints: [data.length - parts[1] - (parts[1] < 128 ? 1 : 2) - 2, data.length], // its length, and a checksum
    placement: { size: { width: 4000, height: 3000 }, centre: [-1201, 900], half: [800, -30] },
  });
});
