/** Integer tables: with which probabilities the symbols of a prior are coded. Read from `tables.json`. */

import type { Architecture } from "./architecture.js";
import { type Context, readContext } from "./contexts.js";
import { PriorError } from "./errors.js";

export const FORMAT = 1;
const MAX_BOUND = 511; // symbols lie in [-MAX_BOUND, MAX_BOUND]
const MAX_FREQUENCIES = 1 << 22; // of a level

const KINDS = { u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, i32: Int32Array };
type Kind = keyof typeof KINDS;
type Numbers<K extends Kind> = InstanceType<(typeof KINDS)[K]>;

/** Tables of one level, for symbols in [-bound, bound]. */
export interface LevelTables {
  /** (K, A), A = 2 * bound + 1: frequencies below each symbol; the last ends at 2^16. */
  cumulative: Uint16Array;
  /** A: symbols of a table. */
  count: number;
  bound: number;
  /** (R, C, H, W), or (R, C, 1, 1): the class of every symbol. */
  index: Uint8Array;
  /** (C, H, W) of the index. */
  indexShape: readonly [number, number, number];
  context: Context | null;
}

/** Takes tensors out of the JSON by name. */
export class TensorReader {
  constructor(
    private readonly tensors: Record<string, unknown>,
    readonly prefix: string,
  ) {}

  has(name: string): boolean {
    return this.prefix + name in this.tensors;
  }

  /** The shape and the numbers of a tensor. Throws `PriorError` if it is not there, or of another kind. */
  take<K extends Kind>(name: string, kind: K): { shape: number[]; data: Numbers<K> } {
    const entry = this.tensors[this.prefix + name] as { type?: unknown; shape?: unknown; data?: unknown } | undefined;
    const { type, shape, data } = entry ?? {};
    if (type !== kind || !Array.isArray(shape) || !Array.isArray(data)) this.fail(name, "is missing or of another kind");
    const length = shape.reduce((product: number, side) => product * (Number.isInteger(side) && side >= 0 ? side : NaN), 1);
    const numbers = new KINDS[kind](data) as Numbers<K>;
    if (length !== data.length || numbers.some((value, n) => value !== data[n])) this.fail(name, "has impossible values");
    return { shape, data: numbers };
  }

  fail(name: string, problem: string): never {
    throw new PriorError(`the prior's tables are damaged: ${this.prefix}${name} ${problem}; export the prior again`);
  }
}

/** The tables of all levels, coarse to fine. Throws `PriorError`. */
export function readTables(tensors: Record<string, unknown>, architecture: Architecture): LevelTables[] {
  let coarser = 0; // channels with contexts in the level above
  return architecture.tableShapes().map((shape, level) => {
    const reader = new TensorReader(tensors, `tables.${level}.`);
    const tables = readLevel(reader, shape, architecture.rates, coarser);
    coarser = tables.context ? shape[0] : 0;
    return tables;
  });
}

function readLevel(
  reader: TensorReader,
  indexShape: readonly [number, number, number],
  rates: number,
  coarser: number,
): LevelTables {
  const { shape, data: cumulative } = reader.take("cumulative", "u16");
  const [rows, count] = shape;
  const bound = (count - 1) / 2;
  if (shape.length !== 2 || !Number.isInteger(bound) || bound > MAX_BOUND || cumulative.length > MAX_FREQUENCIES) {
    reader.fail("cumulative", "has a wrong shape");
  }
  for (let n = 0; n < cumulative.length; n++) {
    if (n % count ? cumulative[n] <= cumulative[n - 1] : cumulative[n]) reader.fail("cumulative", "has no such frequency");
  }
  const index = reader.take("index", "u8");
  if (index.shape.join() !== [rates, ...indexShape].join()) reader.fail("index", "has a wrong shape");
  const context = reader.has("context.scale") ? readContext(reader, indexShape[0], coarser, count) : null;
  const classes = context ? context.scale.length : rows;
  if (context && rows !== classes * (context.activityBounds.length + 1) * (context.leanBounds.length + 1)) {
    reader.fail("cumulative", "does not fit the contexts");
  }
  if (index.data.some((value) => value >= classes)) reader.fail("index", "points outside the tables");
  return { cumulative, count, bound, index: index.data, indexShape, context };
}
