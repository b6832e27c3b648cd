/** The optional fields that follow the header of 3 bytes if its first bit says so. */

import { FormatError } from "./errors.js";

/** Of a picture. */
export const MAX_SIDE = 65_535;
export const MAX_PIXELS = 100_000_000;

const SIZE = 1, SQUARE = 2, LEVELS = 4, PLACED = 8, PROGRESSIVE = 16, FOREIGN = 32;
/** Quarter pixels, in which a placement is given. */
const STEPS = 4;

export interface Size {
  width: number;
  height: number;
}

/** Where a picture was cut from: a square in a larger one. */
export interface Placement {
  /** Of the larger picture, in pixels. */
  size: Size;
  /** x, y of the square's centre in quarter pixels, from the middle of that picture. */
  centre: [number, number];
  /** x, y from the centre to the middle of the square's right side, in quarter pixels. */
  half: [number, number];
}

export interface Fields {
  /** Of the original in pixels; null for the prior's own size. */
  size: Size | null;
  /** Bits of the coded levels, the coarsest lowest; null if all are. */
  levels: number | null;
  placement: Placement | null;
  progressive: boolean;
  foreign: boolean;
}

export const NO_FIELDS: Fields = { size: null, levels: null, placement: null, progressive: false, foreign: false };

/** Bytes end where a number should be. */
export class EndsEarly extends Error {}

/** Reads numbers from bytes, one after another. Throws `EndsEarly`. */
export class ByteReader {
  constructor(
    readonly data: Uint8Array,
    public at = 0,
  ) {}

  byte(): number {
    if (this.at >= this.data.length) throw new EndsEarly();
    return this.data[this.at++];
  }

  /** Seven bits a byte, the lowest first, in at most 3 bytes. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.byte();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new EndsEarly();
  }

  /** 0, 1, 2, 3, … stand for 0, -1, 1, -2, … */
  zigzag(): number {
    const value = this.varint();
    return value & 1 ? -((value + 1) >> 1) : value >> 1;
  }
}

/** The fields at the reader's place, which is moved behind them. Throws `FormatError`. */
export function readFields(reader: ByteReader, name: string): Fields {
  let fields: Fields;
  try {
    fields = parseFields(reader, name);
  } catch (error) {
    if (error instanceof EndsEarly) throw new FormatError(`${name} is damaged: its header ends early; get it again`);
    throw error;
  }
  const { size, placement } = fields;
  if (size && !possible(size)) {
    const most = MAX_PIXELS.toLocaleString("en-US");
    throw new FormatError(`${name} claims ${size.width} x ${size.height} pixels, more than the ${most} that are decoded`);
  }
  if (placement && !plausible(placement)) {
    throw new FormatError(`${name} is damaged: the place that it names lies outside of every picture; get it again`);
  }
  return fields;
}

function parseFields(reader: ByteReader, name: string): Fields {
  const kinds = reader.byte();
  const alone = kinds & SQUARE && !(kinds & SIZE);
  if (kinds >> 6 || alone || (kinds & FOREIGN && kinds & (LEVELS | PROGRESSIVE))) {
    throw new FormatError(`${name} has fields that this version of invcomp does not know; update invcomp`);
  }
  const fields: Fields = { ...NO_FIELDS, progressive: !!(kinds & PROGRESSIVE), foreign: !!(kinds & FOREIGN) };
  if (kinds & SIZE) {
    const width = reader.varint();
    fields.size = { width, height: kinds & SQUARE ? width : reader.varint() };
  }
  if (kinds & LEVELS) fields.levels = reader.byte();
  if (kinds & PLACED) {
    fields.placement = {
      size: { width: reader.varint(), height: reader.varint() },
      centre: [reader.zigzag(), reader.zigzag()],
      half: [reader.zigzag(), reader.zigzag()],
    };
  }
  return fields;
}

/** Whether a picture can have this size. */
function possible({ width, height }: Size): boolean {
  return width > 0 && height > 0 && Math.max(width, height) <= MAX_SIDE && width * height <= MAX_PIXELS;
}

/** Whether a face can lie there: its centre at most a picture's size outside, no side above 4 times the longer. */
function plausible({ size, centre, half }: Placement): boolean {
  if (!possible(size)) return false;
  const side = Math.hypot(...half);
  return (
    Math.abs(centre[0]) <= 1.5 * size.width * STEPS &&
    Math.abs(centre[1]) <= 1.5 * size.height * STEPS &&
    STEPS <= side &&
    side <= 2 * Math.max(size.width, size.height) * STEPS
  );
}
