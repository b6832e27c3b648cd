import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { digest, hex, sha256 } from "../src/sha256.js";

test.each([0, 1, 55, 56, 63, 64, 65, 1000, 100_000])("the hash of %i bytes, with and without the browser's own code", async (length) => {
  const data = Uint8Array.from({ length }, (_, n) => n * 7);
  const expected = createHash("sha256").update(data).digest("hex");
  expect(hex(digest(data))).toBe(expected);
  expect(await sha256(data)).toBe(expected);
});
