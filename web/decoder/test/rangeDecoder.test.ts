import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../src/errors.js";
import { RangeDecoder } from "../src/rangeDecoder.js";
import { bytes, vectors } from "./helpers.js";

interface Coded {
  count: number;
  cumulative: number[];
  rows: number[];
  symbols: number[];
  words: string;
  shortest: { payload: string; tail: number };
}

describe("golden words of the library constriction", () => {
  test.each(vectors<Coded[]>("coded"))("$symbols.length symbols of $count", ({ count, cumulative, rows, symbols, ...coded }) => {
    const table = Uint16Array.from(cumulative);
    const { payload, tail } = coded.shortest;
    for (const decoder of [new RangeDecoder(bytes(coded.words)), new RangeDecoder(bytes(payload), tail)]) {
      expect(rows.map((row) => decoder.symbol(table, row * count, count))).toEqual(symbols);
    }
  });
});

test("any bytes give symbols of the table, or a FormatError", () => {
  const table = Uint16Array.from([0, 1, 2, 40_000, 65_534, 65_535]);
  const property = fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(3), (payload, tail) => {
    const decoder = new RangeDecoder(payload, tail);
    try {
      const found = Array.from({ length: 100 }, () => decoder.symbol(table, 0, 6));
      expect(found.every((symbol) => symbol >= 0 && symbol < 6)).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
    }
  });
  fc.assert(property, { seed: 8, numRuns: 1000 });
});

test("bits in the gaps of the coder stand for no symbol", () => {
  const decoder = new RangeDecoder(new Uint8Array(16).fill(255), 3);
  expect(() => decoder.symbol(Uint16Array.of(0, 30_000, 50_000), 0, 3)).toThrow("the payload stands for no symbols");
});
