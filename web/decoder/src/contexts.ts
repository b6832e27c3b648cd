/**
 * Contexts: which of a level's tables codes a symbol, told by what is decoded before it, in whole numbers alone.
 *
 * Symbols are decoded by diagonals x + 2 y, on a diagonal by channel, of a channel by row. For each, two weighted sums are taken
 * of what is there already: of surprises (activity), and of the symbols themselves (lean). Both sums are cut into bins, and
 * (class, bin of activity, bin of lean) is the table.
 */

import type { Shape } from "./architecture.js";
import type { LevelTables, TensorReader } from "./tables.js";

const PLACES = [[0, 0], [0, -1], [-1, 0], [-1, -1], [-1, 1]] as const; // rows down and columns right, of a context
const EXACT = 1 << 24; // sums of weights stay below

/** The rule of one level of C channels, below a level of P channels, with K classes and A symbols. */
export interface Context {
  /** (K, A): how surprising a symbol is under its class. */
  surprise: Int8Array;
  /** (K,): of lean. */
  scale: Uint8Array;
  /** (C, 5, C): weights of the surprises at the places. */
  activity: Int16Array;
  /** (C, P): weights of the surprises in the level above; P is 0 without such. */
  coarser: Int16Array;
  /** (C, 5, C): weights of the symbols at the places. */
  lean: Int16Array;
  /** Where a bin of activity begins, rising. */
  activityBounds: Int32Array;
  leanBounds: Int32Array;
}

/** Symbols or surprises of a level, (C, H, W), row-major. */
export interface Plane {
  shape: Shape;
  values: Int32Array;
}

/** Gives the next symbol, in [-bound, bound], of the table with that number. */
export type Take = (table: number) => number;

/** The context of a level of `channels` below one of `coarser`, with `count` symbols. Throws `PriorError`. */
export function readContext(reader: TensorReader, channels: number, coarser: number, count: number): Context {
  const of = <K extends "u8" | "i8" | "i16" | "i32">(name: string, kind: K, ...shape: number[]) => {
    const found = reader.take(`context.${name}`, kind);
    const right = shape.length ? found.shape.join() === shape.join() : found.shape.length === 1;
    if (!right) reader.fail(`context.${name}`, "has a wrong shape");
    return found.data;
  };
  const scale = of("scale", "u8");
  const context: Context = {
    scale,
    surprise: of("surprise", "i8", scale.length, count),
    activity: of("activity", "i16", channels, PLACES.length, channels),
    coarser: of("coarser", "i16", channels, coarser),
    lean: of("lean", "i16", channels, PLACES.length, channels),
    activityBounds: of("activity_bounds", "i32"),
    leanBounds: of("lean_bounds", "i32"),
  };
  for (const name of ["activity", "lean"] as const) {
    const rows = context[name];
    for (let c = 0; c < channels; c++) {
      const here = rows.subarray(c * PLACES.length * channels, (c + 1) * PLACES.length * channels);
      if (here.subarray(c, channels).some(Boolean)) reader.fail(`context.${name}`, "looks at what is not decoded yet");
      const above = name === "activity" ? context.coarser.subarray(c * coarser, (c + 1) * coarser) : [];
      const sum = [...here, ...above].reduce((total, weight) => total + Math.abs(weight), 0);
      if (sum * (name === "activity" ? 128 : (count - 1) / 2) >= EXACT) reader.fail(`context.${name}`, "is too large");
    }
    const bounds = context[`${name}Bounds`];
    if (bounds.some((edge, n) => n > 0 && edge < bounds[n - 1])) reader.fail(`context.${name}_bounds`, "is out of order");
  }
  return context;
}

/** The symbols of a level with contexts that `take` finds, and their surprises; `above`: those of the level above. */
export function decodeWithContexts(
  tables: LevelTables,
  context: Context,
  shape: Shape,
  rate: number,
  above: Plane | null,
  take: Take,
): { symbols: Plane; surprises: Plane } {
  const [channels, height, width] = shape;
  const area = height * width;
  const symbols = new Int32Array(channels * area);
  const surprises = new Int32Array(channels * area);
  const bins = [context.activityBounds.length + 1, context.leanBounds.length + 1];
  const sums = weighted(context, channels, height, width, above, symbols, surprises);
  for (let diagonal = 0; diagonal <= width - 1 + 2 * (height - 1); diagonal++) {
    const first = Math.max(0, Math.ceil((diagonal - width + 1) / 2));
    const last = Math.min(height - 1, diagonal >> 1);
    for (let c = 0; c < channels; c++) {
      for (let y = first; y <= last; y++) {
        const x = diagonal - 2 * y;
        const kind = classOf(tables, rate, c, y, x);
        const { activity, lean } = sums(c, y, x);
        const a = bin(context.activityBounds, activity);
        const b = bin(context.leanBounds, lean * context.scale[kind]);
        const symbol = take((kind * bins[0] + a) * bins[1] + b);
        const at = c * area + y * width + x;
        symbols[at] = symbol;
        surprises[at] = context.surprise[kind * tables.count + symbol + tables.bound];
      }
    }
  }
  return { symbols: { shape, values: symbols }, surprises: { shape, values: surprises } };
}

/** The surprises of a level of which no symbol is coded: of zeros. */
export function surprisesOfZeros(tables: LevelTables, context: Context, shape: Shape, rate: number): Plane {
  const [channels, height, width] = shape;
  const values = new Int32Array(channels * height * width);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        values[at++] = context.surprise[classOf(tables, rate, c, y, x) * tables.count + tables.bound];
      }
    }
  }
  return { shape, values };
}

/** The class of a symbol; without contexts its table. */
export function classOf({ index, indexShape }: LevelTables, rate: number, c: number, y: number, x: number): number {
  const [channels, height, width] = indexShape;
  return index[((rate * channels + c) * height + (height === 1 ? 0 : y)) * width + (width === 1 ? 0 : x)];
}

/** A function that gives activity and lean (unscaled) at a channel and place of what is decoded so far. */
function weighted(
  context: Context,
  channels: number,
  height: number,
  width: number,
  above: Plane | null,
  symbols: Int32Array,
  surprises: Int32Array,
): (c: number, y: number, x: number) => { activity: number; lean: number } {
  const area = height * width;
  const coarser = above ? above.shape[0] : 0;
  return (c, y, x) => {
    let activity = 0;
    let lean = 0;
    if (above) {
      const [, high, wide] = above.shape;
      const at = (y >> 1) * wide + (x >> 1);
      for (let p = 0; p < coarser; p++) activity += context.coarser[c * coarser + p] * above.values[p * high * wide + at];
    }
    for (let place = 0; place < PLACES.length; place++) {
      const row = y + PLACES[place][0];
      const column = x + PLACES[place][1];
      if (row < 0 || column < 0 || column >= width) continue;
      const at = row * width + column;
      const weights = (c * PLACES.length + place) * channels;
      const known = place ? channels : c;
      for (let p = 0; p < known; p++) {
        activity += context.activity[weights + p] * surprises[p * area + at];
        lean += context.lean[weights + p] * symbols[p * area + at];
      }
    }
    return { activity, lean };
  };
}

/** How many of the bounds are at most `value`. */
function bin(bounds: Int32Array, value: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bounds[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
