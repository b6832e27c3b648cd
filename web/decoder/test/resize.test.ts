import { expect, test } from "vitest";
import { fromPlanes, roundHalfEven, toImageData } from "../src/pixels.js";
import { resize } from "../src/resize.js";
import { digest, hex } from "../src/sha256.js";
import { bytes, vectors } from "./helpers.js";

interface Resized {
  from: [number, number];
  to: [number, number];
  pixels?: string;
  sha256?: string;
}

test.each(vectors<Resized[]>("resized"))("Pillow's pixels, $from to $to", ({ from: [width, height], to, ...expected }) => {
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, n) => (n * n * 7 + n * 31) % 251);
  const found = resize({ width, height, rgb }, ...to);
  expect([found.width, found.height]).toEqual(to);
  if (expected.pixels) expect(found.rgb).toEqual(bytes(expected.pixels));
  else expect(hex(digest(found.rgb))).toBe(expected.sha256);
});

test("halves are rounded to even", () => {
  expect([0.5, 1.5, 2.5, 2.4999, 254.5, 255].map(roundHalfEven)).toEqual([0, 2, 2, 2, 254, 255]);
});

test("planes are clamped, cut at right and bottom, and interleaved", () => {
  const planes = Float32Array.from({ length: 12 }, (_, n) => [-1, 0.5, 2, NaN][n % 4]);
  const pixels = fromPlanes(planes, { width: 2, height: 2 }, { width: 2, height: 1 });
  expect([...pixels.rgb]).toEqual([0, 0, 0, 128, 128, 128]);
  expect([...toImageData(pixels).data]).toEqual([0, 0, 0, 255, 128, 128, 128, 255]);
});
