/** The shape of a prior: which latent levels it has and how large its pictures are. */

import { ImageError, PriorError } from "./errors.js";
import type { Size } from "./fields.js";

const COARSEST = 4; // resolution of the coarsest level of a trained prior of fixed size
const MAX_LEVELS = 8;
const MAX_FREE_PIXELS = 1 << 22; // of a picture of a prior of free size
const MAX_SYMBOLS = 1 << 24;
const MAX_CHANNELS = 4096;

/** (channels, height, width) of a level's symbols. */
export type Shape = readonly [channels: number, height: number, width: number];

export interface Architecture {
  levels: number;
  /** Number of rate indices. */
  rates: number;
  /** Side of the pictures whose size a file need not say; null for pictures of any size. */
  imageSize: number | null;
  /** Sides of the pictures that the generator paints, rising; empty if it paints what is asked for. */
  sizes: number[];
  /** Names of the generator's outputs, one for each of `sizes`, or the only one. */
  outputs: string[];
  /** Shapes of the symbols of every level, coarse to fine, for a picture coded at this size. */
  latentShapes(size: Size): Shape[];
  /** Sides in positions that the tables of every level tell apart. */
  tableShapes(): Shape[];
}

/** The architecture that `tables.json` names. Throws `PriorError`. */
export function readArchitecture(data: Record<string, unknown>): Architecture {
  const rates = data.rates ?? 8;
  if (!isCount(rates, 16) || rates < 2) throw new PriorError("an architecture has 2 to 16 rate indices");
  return "heads" in data ? imported(data, rates) : trained(data, rates);
}

/** Level n of L of a trained prior has stride 2^(L - n). */
function trained(data: Record<string, unknown>, rates: number): Architecture {
  const channels = counts(data.latent_channels, "latent_channels");
  const levels = channels.length;
  if (!levels || levels > MAX_LEVELS) throw new PriorError(`an architecture needs 1 to ${MAX_LEVELS} levels`);
  const imageSize = data.image_size as number | null;
  if (imageSize !== null && imageSize !== COARSEST << levels) {
    throw new PriorError(`an architecture of ${levels} levels makes pictures of ${COARSEST << levels} pixels`);
  }
  const latentShapes = ({ width, height }: Size): Shape[] =>
    channels.map((count, level) => [count, height >> (levels - level), width >> (levels - level)]);
  const largest = imageSize === null ? { width: 1 << 11, height: 1 << 11 } : square(imageSize);
  checkSymbols(latentShapes(largest));
  return {
    levels,
    rates,
    imageSize,
    sizes: imageSize === null ? [] : [imageSize],
    outputs: ["picture"],
    latentShapes,
    tableShapes: () => (imageSize === null ? channels.map((count) => [count, 1, 1]) : latentShapes(square(imageSize))),
  };
}

/** The imported prior: two levels of style, then features; several sizes from one file. */
function imported(data: Record<string, unknown>, rates: number): Architecture {
  const styles = counts([data.style_channels, data.layer_channels], "style_channels");
  const channels = counts(data.feature_channels, "feature_channels");
  const sides = counts(data.feature_resolutions, "feature_resolutions");
  const heads = counts(data.heads, "heads");
  const [imageSize] = counts([data.image_size], "image_size");
  const widths = counts(data.widths, "widths");
  if (channels.length !== sides.length || channels.length + 2 > MAX_LEVELS || !heads.length) {
    throw new PriorError("an architecture has one width for each feature level");
  }
  const finest = COARSEST << (widths.length - 1);
  const shapes: Shape[] = [
    ...styles.map((count): Shape => [count, 1, 1]),
    ...channels.map((count, n): Shape => [count, sides[n], sides[n]]),
  ];
  checkSymbols(shapes);
  const sizes = [...heads.sort((a, b) => a - b), finest, 2 * finest];
  return {
    levels: shapes.length,
    rates,
    imageSize,
    sizes,
    outputs: sizes.map((side) => `picture_${side}`),
    latentShapes: () => shapes,
    tableShapes: () => shapes.map(([count]) => [count, 1, 1]),
  };
}

function square(side: number): Size {
  return { width: side, height: side };
}

function isCount(value: unknown, most = MAX_CHANNELS): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

function counts(value: unknown, name: string): number[] {
  if (!Array.isArray(value) || !value.every((count) => isCount(count))) {
    throw new PriorError(`${name} of an architecture are whole numbers between 1 and ${MAX_CHANNELS}`);
  }
  return [...value];
}

function checkSymbols(shapes: Shape[]): void {
  const symbols = shapes.reduce((sum, [channels, height, width]) => sum + channels * height * width, 0);
  if (symbols > MAX_SYMBOLS) {
    throw new PriorError("an architecture of these widths takes more memory or time than is given to one");
  }
}

/** The size at which the prior codes a picture of `size`: its own, or rounded up to its stride. Throws `ImageError`. */
export function codedSize({ imageSize, levels }: Architecture, { width, height }: Size, name = "the file"): Size {
  if (imageSize !== null) return square(imageSize);
  const stride = 1 << levels;
  const coded = { width: Math.ceil(width / stride) * stride, height: Math.ceil(height / stride) * stride };
  if (width * height > MAX_FREE_PIXELS || coded.width * coded.height > 2 * MAX_FREE_PIXELS) {
    const most = MAX_FREE_PIXELS.toLocaleString("en-US");
    throw new ImageError(`${name} has ${width} x ${height} pixels, more than the ${most} that its prior makes`);
  }
  return coded;
}
