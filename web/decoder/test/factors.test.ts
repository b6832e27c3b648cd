/** Levels that are missing: the mean of a made factor analysis, by its file, and by the whole covariance. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readArchitecture } from "../src/architecture.js";
import { type Factors, type LevelValues, readFactors } from "../src/factors.js";
import { usedLevels } from "../src/decoder.js";
import { decode, info, loadPrior, type Prior, PriorError, read } from "../src/index.js";
import { sha256 } from "../src/sha256.js";
import { type Cut, digestOf, f32, FACES, goldenFile, goldenPrior, largestDifference, madeFactors } from "./helpers.js";
import { pictureOf, priorFiles, type Stored, tensorFile, vectors } from "./helpers.js";

const RATES = 3;
const COUNT = 5;
const ARCHITECTURE = readArchitecture({ latent_channels: [2, 3, 1], image_size: 32, rates: RATES });
const SHAPES = ARCHITECTURE.latentShapes({ width: 32, height: 32 });
const SIZES = SHAPES.map(([channels, height, width]) => channels * height * width);
const COVERED = SIZES[0] + SIZES[1];
const MADE = madeFactors(COVERED, 5, COUNT, RATES);

const symbolsOf = (level: number) => Int32Array.from({ length: SIZES[level] }, (_, n) => ((n * 13 + level) % 7) - 3);
const levels: LevelValues[] = SHAPES.map((shape, level) => ({ shape, symbols: symbolsOf(level) }));
const zeros = (level: number) => new Int32Array(SIZES[level]);
const made = (): Factors => readFactors(tensorFile(MADE), ARCHITECTURE);

/** z with `matrix` z = `right`, by elimination. */
function eliminated(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, n) => [...row, right[n]]);
  for (let n = 0; n < rows.length; n++) {
    const best = rows.reduce((found, row, m) => (m > n && Math.abs(row[n]) > Math.abs(rows[found][n]) ? m : found), n);
    [rows[n], rows[best]] = [rows[best], rows[n]];
    for (let m = 0; m < rows.length; m++) {
      if (m === n) continue;
      const share = rows[m][n] / rows[n][n];
      for (let k = n; k <= rows.length; k++) rows[m][k] -= share * rows[n][k];
    }
  }
  return rows.map((row, n) => row[rows.length] / row[n]);
}

/** Symbols of the covered levels at a rate, given the first numbers of them, by the covariance of all. */
function conditioned(known: number[], rate: number): number[] {
  const { mean, noise, loadings, scale, steps } = MADE;
  const area = (d: number) => (d < SIZES[0] ? Math.floor(d / 16) : 2 + Math.floor((d - SIZES[0]) / 64));
  const step = (d: number) => steps.data[rate * 5 + area(d)];
  const weight = (d: number, k: number) => loadings.data[d * COUNT + k] * scale.data[k];
  const covariance = (a: number, b: number) => {
    let sum = a === b ? noise.data[a] : 0;
    for (let k = 0; k < COUNT; k++) sum += weight(a, k) * weight(b, k);
    return sum;
  };
  const matrix = known.map((_, a) => known.map((_, b) => covariance(a, b)));
  const pull = eliminated(
    matrix,
    known.map((symbol, d) => symbol * step(d) - mean.data[d]),
  );
  return Array.from({ length: COVERED }, (_, d) => {
    return (mean.data[d] + pull.reduce((sum, value, at) => sum + value * covariance(d, at), 0)) / step(d);
  });
}

describe("levels that are missing have the mean given those before them", () => {
  test.each([0, 1, 2])("at rate %i", (rate) => {
    for (const given of [0, 1]) {
      const missing = SHAPES.map((_, n) => n >= given);
      const found = made().fill(levels, missing, rate);
      const known = levels.slice(0, given).flatMap(({ symbols }) => [...symbols]);
      const expected = conditioned(known, rate);
      const filled = [...found[0].symbols, ...found[1].symbols];
      expect(found[0].symbols === levels[0].symbols).toBe(given === 1);
      for (let d = known.length; d < COVERED; d++) expect(filled[d]).toBeCloseTo(expected[d], 5);
      expect(filled.slice(known.length).some((value) => Math.abs(value - Math.round(value)) > 0.1)).toBe(true);
      expect(found[2].symbols).toEqual(zeros(2));
    }
  });

  test("known to be zero is known", () => {
    const coded = [{ ...levels[0], symbols: zeros(0) }, levels[1], levels[2]];
    const found = made().fill(coded, [false, true, true], 1);
    const expected = conditioned(Array(SIZES[0]).fill(0), 1).slice(SIZES[0]);
    found[1].symbols.forEach((value, n) => expect(value).toBeCloseTo(expected[n], 5));
  });

  test("known levels after them stay as they are, and do not tell", () => {
    const found = made().fill(levels, [true, false, false], 0);
    expect(found.slice(1)).toEqual(levels.slice(1));
    const expected = conditioned([], 0);
    found[0].symbols.forEach((value, n) => expect(value).toBeCloseTo(expected[n], 5));
  });

  test("with all covered levels there, nothing changes", () => {
    const found = made().fill(levels, [false, false, true], 0);
    expect(found).toEqual([levels[0], levels[1], { shape: SHAPES[2], symbols: zeros(2) }]);
    expect(made().fill(levels, [false, false, false], 0)).toEqual(levels);
  });

  test("again, and with others missing, the same comes out", () => {
    const factors = made();
    for (const missing of [
      [false, true, true],
      [true, true, true],
      [false, true, true],
    ]) {
      expect(factors.fill(levels, missing, 2)).toEqual(made().fill(levels, missing, 2));
    }
  });
});

describe("a file that is none of the prior's is refused with one sentence", () => {
  const changed = (name: string, value: Partial<Stored>) =>
    tensorFile({ ...MADE, [name]: { ...MADE[name], ...value } });
  const without = ({ ...tensors }: typeof MADE, name: string) => {
    delete tensors[name];
    return tensorFile(tensors);
  };
  const one = (name: string, value: number) => {
    const data = MADE[name].data.slice();
    data[3] = value;
    return changed(name, { data });
  };
  const whole = tensorFile(MADE);
  const long = new Uint8Array(whole);
  long.set([255, 255, 255, 255, 255, 255, 255, 255]);

  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(), /its header is longer than the file/],
    ["a header that is too long", long, /its header is longer than the file/],
    ["a header that is no JSON", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0x7b), /its header is no JSON;/],
    ["a header that is a list", Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0x5b, 0x5d), /its header is no JSON object/],
    ["a file that ends early", whole.subarray(0, whole.length - 1), /does not lie where it should/],
    ["a file that goes on", new Uint8Array([...whole, 0]), /it has bytes that belong to no tensor/],
    ["an entry that is none", tensorFile(MADE, (header) => (header.mean = null)), /the tensor mean has no known type/],
    ["an unknown type", tensorFile(MADE, (header) => (header.mean.dtype = "toString")), /has no known type/],
    ["a shape that is none", tensorFile(MADE, (header) => (header.mean.shape = [-1])), /an impossible shape or place/],
    ["a huge shape", tensorFile(MADE, (header) => (header.mean.shape = [1e9, 1e9])), /does not lie where it should/],
    ["a place that is none", tensorFile(MADE, (header) => header.mean.data_offsets.pop()), /impossible shape or place/],
    [
      "tensors in one place",
      tensorFile(MADE, (header) => (header.mean = header.noise)),
      /does not lie where it should/,
    ],
    ["no loadings", without(MADE, "loadings"), /loadings is missing or of another type than I8/],
    ["no noise", without(MADE, "noise"), /noise is missing or of another type than F32/],
    ["loadings of one side", changed("loadings", { shape: [COVERED * COUNT] }), /those of 1 to 1024 factors/],
    ["no factors", changed("loadings", { shape: [COVERED, 0], data: new Int8Array() }), /those of 1 to 1024 factors/],
    [
      "too many factors",
      changed("loadings", { shape: [COVERED, 1025], data: new Int8Array(COVERED * 1025) }),
      /those of 1 to 1024 factors/,
    ],
    [
      "residuals of half a level",
      tensorFile(madeFactors(COVERED - 1, 5, COUNT, RATES)),
      /its 223 residuals are not those of the prior's coarsest levels/,
    ],
    ["no residuals", tensorFile(madeFactors(0, 5, COUNT, RATES)), /its 0 residuals are not/],
    [
      "another scale",
      changed(
        "scale",
        f32([4], () => 1),
      ),
      /scale has a wrong shape/,
    ],
    [
      "steps of another rate",
      changed(
        "steps",
        f32([RATES + 1, 5], () => 1),
      ),
      /steps has a wrong shape/,
    ],
    [
      "steps of another level",
      changed(
        "steps",
        f32([RATES, 6], () => 1),
      ),
      /steps has a wrong shape/,
    ],
    ["a mean that is none", one("mean", NaN), /mean has impossible numbers/],
    ["an endless scale", one("scale", Infinity), /scale has impossible numbers/],
    ["a variance of zero", one("noise", 0), /noise has impossible numbers/],
    ["a variance below zero", one("noise", -1), /noise has impossible numbers/],
    ["a step of zero", one("steps", 0), /steps has impossible numbers/],
  ])("%s", (_, data, fact) => {
    const read = () => readFactors(data, ARCHITECTURE);
    expect(read).toThrow(PriorError);
    expect(read).toThrow(fact);
    expect(read).toThrow(/^factors.safetensors is damaged: [^.]*; export the prior again$/);
  });

  test("a prior of free size", () => {
    const free = readArchitecture({ latent_channels: [2, 3, 1], image_size: null, rates: RATES });
    expect(() => readFactors(whole, free)).toThrow("a prior of free size has no factors");
  });

  test("any changed bytes give factors that fill, or a PriorError", () => {
    const input = fc.tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length));
    const property = fc.property(input, ([at, value, end]) => {
      const data = whole.slice(0, at % 2 ? end : whole.length);
      data[at % data.length || 0] = value;
      let factors: Factors;
      try {
        factors = readFactors(data, ARCHITECTURE);
      } catch (error) {
        expect(error).toBeInstanceOf(PriorError);
        return;
      }
      const [, filled] = factors.fill(levels, [false, true, true], 0);
      expect([...filled.symbols].every(Number.isFinite)).toBe(true);
    });
    fc.assert(property, { seed: 8, numRuns: 500 });
  });
});

describe("files that are cut off are filled and painted as by Python", () => {
  const cuts = vectors<Cut[]>("cuts");
  const priors = new Map<string, Promise<Prior>>();
  const priorOf = (key: string) => priors.get(key) ?? priors.set(key, goldenPrior(key)).get(key)!;

  test.each(cuts)("$stem, $bytes bytes", async (cut) => {
    const { stem, bytes, every, numbers } = cut;
    const prior = await priorOf(stem.split("-")[1]);
    const { "factors.safetensors": factors } = prior.info.files;
    expect(factors, "other factors: run scripts/make_web_vectors.py").toBe(cut.factors);
    const data = goldenFile(stem).subarray(0, bytes);
    const reading = read(data, prior, { partial: true });
    expect(digestOf(reading.levels)).toBe(cut.symbols);
    const found = usedLevels(reading, prior).map(({ symbols }) => [...symbols].filter((_, n) => n % every === 0));
    expect(found.map(({ length }) => length)).toEqual(numbers.map(({ length }) => length));
    found.flat().forEach((number, n) => expect(number).toBeCloseTo(numbers.flat()[n], 3));
    const picture = await decode(data, prior, { partial: true });
    expect(largestDifference(picture, pictureOf(cut))).toBeLessThanOrEqual(1);
  });
});

describe("a prior with factors", () => {
  /** The prior with these factors in place of its own, or without any. */
  async function files(data: Uint8Array<ArrayBuffer> | null): Promise<Record<string, Uint8Array>> {
    const { "factors.safetensors": _, ...found }: Record<string, Uint8Array> = priorFiles(FACES);
    const info = JSON.parse(new TextDecoder().decode(found["prior.json"]));
    delete info.files["factors.safetensors"];
    if (data) info.files["factors.safetensors"] = await sha256(data);
    const card = new TextEncoder().encode(JSON.stringify(info));
    return { ...found, "prior.json": card, ...(data && { "factors.safetensors": data }) };
  }

  const load = async (given: Record<string, Uint8Array>) =>
    loadPrior(
      Object.entries(given).map(([name, data]) => new File([data as BlobPart], name)),
      { devices: ["wasm"] },
    );

  test("shows levels that are cut off or not asked for by them, and whole files as ever", async () => {
    const plain = await load(await files(null));
    const { architecture } = plain;
    const shapes = architecture.latentShapes({ width: 128, height: 128 }).slice(0, 3);
    const count = shapes.reduce((sum, [channels, height, width]) => sum + channels * height * width, 0);
    const channels = shapes.reduce((sum, shape) => sum + shape[0], 0);
    const prior = await load(await files(tensorFile(madeFactors(count, channels, COUNT, architecture.rates))));
    expect([plain.factors, prior.factors?.levels]).toEqual([null, 3]);
    for (const stem of [`v1-${FACES}-progressive`, `v1-${FACES}-q36-1`]) {
      const data = goldenFile(stem);
      expect(largestDifference(await decode(data, prior), await decode(data, plain))).toBe(0);
      const three = await decode(data, prior, { levels: 3 });
      expect(largestDifference(three, await decode(data, plain, { levels: 3 }))).toBe(0); // all that they cover
      const one = await decode(data, prior, { levels: 1 });
      expect(largestDifference(one, await decode(data, plain, { levels: 1 }))).toBeGreaterThan(10);
      const { cutPoints } = info(data, prior);
      if (!cutPoints) continue;
      const cut = await decode(data.subarray(0, cutPoints[0]), prior, { partial: true });
      expect(largestDifference(cut, one)).toBe(0);
    }
  });

  test("a file that never codes a level says that it is zero", async () => {
    const data = goldenFile(`v1-${FACES}-levels`);
    const prior = await load(priorFiles(FACES));
    const plain = await load(await files(null));
    expect(info(data, plain).levels).not.toBeNull();
    expect(largestDifference(await decode(data, prior), await decode(data, plain))).toBe(0);
  });

  test("whose file is not there, or another one, is refused", async () => {
    const given = await files(tensorFile(MADE));
    await expect(load(given)).rejects.toThrow(/^factors.safetensors is damaged: its 224 residuals are not those/);
    const { "factors.safetensors": data, ...others } = given;
    await expect(load(others)).rejects.toThrow(/^factors.safetensors is missing: a prior is prior.json, tables.json, /);
    await expect(load({ ...given, "factors.safetensors": data.slice(1) })).rejects.toThrow(
      /^factors.safetensors is damaged or of another prior than faces: its SHA-256 is not the one in prior.json; export/,
    );
    const plain = await load({ ...(await files(null)), "factors.safetensors": data });
    expect(plain.factors).toBeNull(); // prior.json does not name it
  });
});
