import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readContainer } from "../src/container.js";
import { FormatError } from "../src/errors.js";
import { jxlSize } from "../src/jxl.js";
import { bytes, fieldsOf, vectors } from "./helpers.js";

const PRIOR_ID = Uint8Array.from({ length: 32 }, (_, n) => n);

interface Said {
  fields?: Record<string, unknown>;
  error?: string;
}

function read(data: Uint8Array, partial: boolean): Said {
  try {
    return { fields: fieldsOf(readContainer(data, PRIOR_ID, "x.inv", partial)) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { error: error.message.replace("load that one", "give that one with --prior") };
  }
}

describe("files that Python reads or refuses are read and refused alike, with the same sentence", () => {
  const files = vectors<{ file: string; whole: Said; partial: Said }[]>("files");
  test.each(files)("$file", ({ file, whole, partial }) => {
    expect(read(bytes(file), false)).toEqual(whole);
    expect(read(bytes(file), true)).toEqual(partial);
  });
});

test("any bytes give a container or one FormatError", () => {
  const input = fc.tuple(fc.uint8Array({ maxLength: 80 }), fc.boolean(), fc.boolean());
  const property = fc.property(input, ([data, ours, partial]) => {
    if (ours && data.length > 2) data.set([0xa0 | (data[0] & 7), data[1] & 0xf8, 0]);
    read(data, partial);
  });
  fc.assert(property, { seed: 8, numRuns: 5000 });
});

test("a file of more than 64 MB is refused before it is looked at", () => {
  expect(read(new Uint8Array((1 << 26) + 1), false).error).toBe("x.inv is larger than the 64 MB that an invcomp file has at most");
});

test.each(vectors<{ head: string; size: [number, number] }[]>("stills"))("a JPEG XL says its size: $size", ({ head, size }) => {
  expect(jxlSize(bytes(head))).toEqual({ width: size[0], height: size[1] });
  expect(jxlSize(bytes(head).subarray(0, 3))).toBeNull();
});
