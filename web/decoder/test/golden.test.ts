import { describe, expect, test } from "vitest";
import { InvcompError, type Prior, read, readContainer } from "../src/index.js";
import {
  digestOf,
  FACES,
  FACES_64,
  fieldsOf,
  GOLDEN,
  goldenFile,
  goldenPrior,
  json,
  missing,
  STEMS,
} from "./helpers.js";

const symbols = json<Record<string, string>>(GOLDEN, "symbols.json");
const fields = json<Record<string, unknown>>(GOLDEN, "fields.json");
const loaded = new Map<string, Promise<Prior>>();

function priorOf(stem: string): Promise<Prior> {
  const key = stem.split("-")[1];
  if (!loaded.has(key)) loaded.set(key, goldenPrior(key));
  return loaded.get(key)!;
}

describe.each(STEMS)("%s", (stem) => {
  const reason = missing(stem.split("-")[1]);

  test.skipIf(reason)(`symbols and fields are those of Python${reason ? ` (skipped: ${reason})` : ""}`, async () => {
    const prior = await priorOf(stem);
    const { content, levels } = read(goldenFile(stem), prior);
    expect(fieldsOf(content)).toEqual(fields[stem]);
    if (!content.foreign) expect(digestOf(levels)).toBe(symbols[stem]);
  });

  if (!/progressive|every-field/.test(stem)) return;
  test.skipIf(reason)("cut after a level, the levels before it are whole", async () => {
    const prior = await priorOf(stem);
    const data = goldenFile(stem);
    const whole = read(data, prior);
    const coded = whole.levels.filter((level) => level.coded);
    expect(whole.content.cutPoints.at(-1)).toBe(data.length);
    whole.content.cutPoints.forEach((end, n) => {
      const cut = read(data.subarray(0, end), prior, { partial: true });
      expect(cut.content.parts).toHaveLength(n + 1);
      const found = cut.levels.filter((level) => level.coded);
      expect(found.map((level) => level.symbols)).toEqual(coded.slice(0, n + 1).map((level) => level.symbols));
      if (n + 1 < coded.length) expect(() => read(data.subarray(0, end), prior)).toThrow(InvcompError);
    });
  });
});

describe.each([`v1-${FACES}-q0-0`, `v1-${FACES}-one-byte`, `v1-${FACES_64}-q0-0`])("%s", (stem) => {
  const reason = missing(stem.split("-")[1]);

  test.skipIf(reason)("every changed byte and every truncation is refused", async () => {
    const { id } = await priorOf(stem);
    const data = goldenFile(stem);
    for (let at = 0; at < data.length; at++) {
      expect(() => readContainer(data.subarray(0, at), id)).toThrow(InvcompError);
      for (let value = 1; value < 256; value++) {
        const changed = data.slice();
        changed[at] ^= value;
        expect(() => readContainer(changed, id)).toThrow(InvcompError);
      }
    }
  });
});
