/**
 * What the levels of a file that are not there are expected to be, given those that are: the conditional mean of a
 * factor analysis (Bishop, Pattern Recognition and Machine Learning, 12.2.4) of the residuals of the coarsest levels,
 *
 *     v = mean + W z + e,   z ~ N(0, I),   e ~ N(0, diag(noise)),
 *
 * where v are D residuals in units of the latent, symbol times step, level after level, each (C, H, W), row-major. From
 * those before the first level that is missing, o, follow the K factors z, P z = W_o' diag(noise_o)^-1 (v_o - mean_o)
 * with P = I + W_o' diag(noise_o)^-1 W_o, and from these the missing ones, mean + W z.
 */

import type { Architecture, Shape } from "./architecture.js";
import { PriorError } from "./errors.js";
import { TensorError, TensorFile } from "./tensors.js";

const MAX_RESIDUALS = 8192;
const MAX_FACTORS = 1024;
const BLOCK = 256; // residuals that are multiplied at once, so that they stay in a cache
const LEAST = 1e-6,
  MOST = 1e6; // between which variances and steps lie; means and scales are no larger

/** A level as a generator takes it: symbols, or real numbers in their place. */
export interface LevelValues {
  shape: Shape;
  /** (C, H, W), row-major. */
  symbols: Int32Array | Float32Array;
}

/** Levels without the symbols of those that are missing. */
export function withZeros(levels: readonly LevelValues[], missing: readonly boolean[]): LevelValues[] {
  return levels.map((level, n) => (missing[n] ? { ...level, symbols: new Int32Array(level.symbols.length) } : level));
}

/** One of the coarsest levels, which the factors cover. */
interface Covered {
  shape: Shape;
  /** Where its residuals lie among all: the first, and the one after the last. */
  begin: number;
  end: number;
  /** Of its first channel among those of all. */
  channel: number;
}

/** The numbers of `factors.safetensors`. */
interface Model {
  /** (D,) */
  mean: Float32Array;
  /** (D,), variances */
  noise: Float32Array;
  /** (D, K): W in units of `scale` */
  loadings: Int8Array;
  /** (K,) */
  scale: Float32Array;
  /** (R, channels of all levels): quantisation steps */
  steps: Float32Array;
  levels: Covered[];
}

/** The factors of a prior. Throws `PriorError` for what is damaged, or of another architecture. */
export function readFactors(data: Uint8Array, architecture: Architecture): Factors {
  try {
    return new Factors(readModel(new TensorFile(data), architecture));
  } catch (error) {
    if (!(error instanceof TensorError)) throw error;
    throw new PriorError(`factors.safetensors is damaged: ${error.message}; export the prior again`);
  }
}

function readModel(file: TensorFile, architecture: Architecture): Model {
  const take = (name: string, ...shape: number[]): Float32Array => {
    const found = file.take(name, "F32");
    if (found.shape.join() !== shape.join()) throw new TensorError(`${name} has a wrong shape`);
    const positive = name === "noise" || name === "steps";
    const possible = (value: number) => (positive ? value >= LEAST : value >= -MOST) && value <= MOST; // NaN is not
    if (!found.data.every(possible)) throw new TensorError(`${name} has impossible numbers`);
    return found.data;
  };
  const { shape, data: loadings } = file.take("loadings", "I8");
  const [residuals, factors] = shape;
  if (shape.length !== 2 || !(factors >= 1 && factors <= MAX_FACTORS)) {
    throw new TensorError(`loadings are not those of 1 to ${MAX_FACTORS} factors`);
  }
  const levels = coveredLevels(residuals, architecture);
  const channels = levels.reduce((sum, level) => sum + level.shape[0], 0);
  return {
    mean: take("mean", residuals),
    noise: take("noise", residuals),
    loadings,
    scale: take("scale", factors),
    steps: take("steps", architecture.rates, channels),
    levels,
  };
}

/** The coarsest levels that have so many residuals. */
function coveredLevels(residuals: number, { imageSize, latentShapes }: Architecture): Covered[] {
  const levels: Covered[] = [];
  if (imageSize === null) throw new TensorError("a prior of free size has no factors");
  let end = 0;
  let channel = 0;
  for (const shape of latentShapes({ width: imageSize, height: imageSize })) {
    const begin = end;
    end += shape[0] * shape[1] * shape[2];
    levels.push({ shape, begin, end, channel });
    if (end === residuals && end <= MAX_RESIDUALS) return levels;
    channel += shape[0];
  }
  throw new TensorError(`its ${residuals} residuals are not those of the prior's coarsest levels`);
}

/** A model that fills levels. */
export class Factors {
  /** Of covered levels that were given once: W' diag(noise)^-1 W, see `gram`. */
  private readonly grams = new Map<number, Float64Array>();

  constructor(private readonly model: Model) {}

  /** How many of the coarsest levels it covers. */
  get levels(): number {
    return this.model.levels.length;
  }

  /**
   * The levels of a file at a rate index, those that are `missing` with the mean, given all before the first of them, in
   * place of symbols: real numbers, not rounded. Missing levels that are not covered are zero.
   */
  fill(levels: readonly LevelValues[], missing: readonly boolean[], rate: number): LevelValues[] {
    const covered = this.model.levels;
    const given = missing.indexOf(true);
    let factors: Float64Array | null = null;
    return withZeros(levels, missing).map((level, n) => {
      if (!missing[n] || n >= covered.length) return level;
      factors ??= this.factorsOf(levels.slice(0, given), rate);
      return { ...level, symbols: this.expected(covered[n], factors, rate) };
    });
  }

  /** The mean of the factors (K,), given the coarsest levels. */
  private factorsOf(given: readonly LevelValues[], rate: number): Float64Array {
    const { mean, noise, loadings, scale, levels: covered } = this.model;
    const count = scale.length;
    const precision = identity(count);
    const pull = new Float64Array(count);
    given.forEach(({ symbols }, n) => {
      const level = covered[n];
      const gram = this.gram(n);
      for (let at = 0; at < gram.length; at++) precision[at] += gram[at];
      const steps = this.stepsOf(level, rate);
      const area = level.shape[1] * level.shape[2];
      for (let d = level.begin; d < level.end; d++) {
        const at = d - level.begin;
        const weight = (symbols[at] * steps[Math.floor(at / area)] - mean[d]) / noise[d];
        for (let k = 0, row = d * count; k < count; k++) pull[k] += weight * loadings[row + k];
      }
    });
    for (let k = 0; k < count; k++) pull[k] *= scale[k];
    return solve(precision, pull);
  }

  /** What the symbols of a level are expected to be under these factors. */
  private expected(level: Covered, factors: Float64Array, rate: number): Float32Array {
    const { mean, loadings, scale } = this.model;
    const count = scale.length;
    const weights = factors.map((value, k) => value * scale[k]);
    const steps = this.stepsOf(level, rate);
    const area = level.shape[1] * level.shape[2];
    const symbols = new Float32Array(level.end - level.begin);
    for (let at = 0; at < symbols.length; at++) {
      let value = mean[level.begin + at];
      for (let k = 0, row = (level.begin + at) * count; k < count; k++) value += weights[k] * loadings[row + k];
      symbols[at] = value / steps[Math.floor(at / area)];
    }
    return symbols;
  }

  /** Quantisation steps of a level's channels. */
  private stepsOf({ channel, shape }: Covered, rate: number): Float32Array {
    const { steps, levels } = this.model;
    const last = levels[levels.length - 1];
    const begin = rate * (last.channel + last.shape[0]) + channel;
    return steps.subarray(begin, begin + shape[0]);
  }

  /** W' diag(noise)^-1 W of a level (K, K), of which the lower triangle counts. Kept: it takes most of the time. */
  private gram(level: number): Float64Array {
    const known = this.grams.get(level);
    if (known) return known;
    const { noise, loadings, scale, levels } = this.model;
    const count = scale.length;
    const found = new Float64Array(count * count);
    const block = new Float64Array((count + (count & 1)) * BLOCK); // transposed, with a row of zeros if they are odd
    const { begin, end } = levels[level];
    for (let first = begin; first < end; first += BLOCK) {
      const length = Math.min(BLOCK, end - first);
      for (let n = 0; n < length; n++) {
        const sharpness = 1 / Math.sqrt(noise[first + n]);
        for (let k = 0, row = (first + n) * count; k < count; k++) block[k * BLOCK + n] = sharpness * loadings[row + k];
      }
      for (let i = 0; i < count; i += 2) for (let j = 0; j <= i; j += 2) addProducts(block, length, i, j, found, count);
    }
    for (let i = 0; i < count; i++) for (let j = 0; j <= i; j++) found[i * count + j] *= scale[i] * scale[j];
    this.grams.set(level, found);
    return found;
  }
}

/** Adds to `found` (count, count) the inner products of the rows i, i + 1 with j, j + 1 of a block: four at once are quick. */
function addProducts(block: Float64Array, length: number, i: number, j: number, found: Float64Array, count: number) {
  let [ij, ij1, i1j, i1j1] = [0, 0, 0, 0];
  for (let a = i * BLOCK, b = j * BLOCK, stop = a + length; a < stop; a++, b++) {
    ij += block[a] * block[b];
    ij1 += block[a] * block[b + BLOCK];
    i1j += block[a + BLOCK] * block[b];
    i1j1 += block[a + BLOCK] * block[b + BLOCK];
  }
  const at = i * count + j;
  found[at] += ij;
  if (j + 1 < count) found[at + 1] += ij1;
  if (i + 1 < count) found[at + count] += i1j;
  if (i + 1 < count) found[at + count + 1] += i1j1;
}

function identity(count: number): Float64Array {
  const matrix = new Float64Array(count * count);
  for (let k = 0; k < count; k++) matrix[k * count + k] = 1;
  return matrix;
}

/** z with `matrix` z = `right`, by Cholesky. Of the matrix, I + a positive semidefinite one, the lower triangle is used. */
function solve(matrix: Float64Array, right: Float64Array): Float64Array {
  const count = right.length;
  const lower = matrix.slice();
  const z = right.slice();
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let value = lower[i * count + j];
      for (let k = 0; k < j; k++) value -= lower[i * count + k] * lower[j * count + k];
      // no pivot of such a matrix is below 1, but for rounding
      lower[i * count + j] = i === j ? Math.sqrt(Math.max(1, value)) : value / lower[j * count + j];
    }
    for (let k = 0; k < i; k++) z[i] -= lower[i * count + k] * z[k];
    z[i] /= lower[i * count + i];
  }
  for (let i = count - 1; i >= 0; i--) {
    for (let k = i + 1; k < count; k++) z[i] -= lower[k * count + i] * z[k];
    z[i] /= lower[i * count + i];
  }
  return z;
}
