import { expect, test } from "vitest";
import { checksum, intact } from "../src/checksums.js";
import { readContainer } from "../src/container.js";
import { bytes } from "./helpers.js";

const PRIOR_ID = Uint8Array.from({ length: 32 }, (_, n) => n);
const LETTERS = new TextEncoder().encode("123456789");

test("the test vectors of docs/format.md", () => {
  expect(checksum(PRIOR_ID, LETTERS, 2)).toBe(0xc853);
  expect(checksum(PRIOR_ID, LETTERS, 1)).toBe(0x7a);
});

test.each(["a0 18 00 70 61 79 6c 6f 61 64 d7 ae", "a4 18 00 70 61 79 6c 6f 61 64 8b"])("the whole file %s", (line) => {
  const data = bytes(line.replaceAll(" ", ""));
  expect(intact(PRIOR_ID, data)).toBe(true);
  const content = readContainer(data, PRIOR_ID);
  expect(new TextDecoder().decode(content.payload)).toBe("payload");
  expect(content).toMatchObject({ rate: 3, tail: 0, size: null, levels: null, parts: null });
});

test("the progressive file of docs/format.md", () => {
  const content = readContainer(bytes("a0980014050361626306490164 1f13".replaceAll(" ", "")), PRIOR_ID);
  expect(content.parts?.map((part) => new TextDecoder().decode(part))).toEqual(["abc", "d"]);
  expect(content).toMatchObject({ rate: 3, levels: 5, cutPoints: [11, 15] });
});

test("every changed byte of a file is noticed", () => {
  for (const line of ["a018007061796c6f6164d7ae", "a418007061796c6f61648b"]) {
    const data = bytes(line);
    for (let at = 0; at < data.length; at++) {
      for (let value = 1; value < 256; value++) {
        const changed = data.slice();
        changed[at] ^= value;
        expect(() => readContainer(changed, PRIOR_ID)).toThrow();
      }
    }
  }
});
