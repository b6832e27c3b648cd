/** The symbols of all levels of a file, coarse to fine, by one range decoder or, in progressive files, one for each. */

import { type Architecture, codedSize, type Shape } from "./architecture.js";
import { type Container, isCoded } from "./container.js";
import { classOf, decodeWithContexts, type Plane, surprisesOfZeros, type Take } from "./contexts.js";
import { FormatError } from "./errors.js";
import type { Size } from "./fields.js";
import { RangeDecoder } from "./rangeDecoder.js";
import type { LevelTables } from "./tables.js";

/** Symbols of a level. */
export interface Level {
  shape: Shape;
  /** (C, H, W), row-major. */
  symbols: Int32Array;
  /** Whether they are in the file; else all are zero. */
  coded: boolean;
  /** Their ideal code length. */
  bits: number;
}

/** Size of the original. Throws `FormatError` if a file of a free size does not say it. */
export function pictureSize(content: Container, { imageSize }: Architecture, name: string): Size {
  if (content.size) return content.size;
  if (imageSize === null) throw new FormatError(`${name} is damaged: it does not say how large its picture is`);
  return { width: imageSize, height: imageSize };
}

/** The symbols of a file that is not foreign. Any bytes give symbols within the tables' bounds, or a `FormatError`. */
export function readSymbols(
  content: Container,
  architecture: Architecture,
  tables: LevelTables[],
  name = "the file",
): Level[] {
  const { levels, rates } = architecture;
  if (content.rate >= rates || (content.levels ?? 0) >> levels) {
    throw new FormatError(`${name} is damaged: it names a rate or level that its prior does not have`);
  }
  const shapes = architecture.latentShapes(codedSize(architecture, pictureSize(content, architecture, name), name));
  const decoders = decodersOf(content, levels);
  let above: Plane | null = null;
  try {
    return shapes.map((shape, level) => {
      const { found, surprises } = readLevel(tables[level], shape, content.rate, decoders[level], above);
      above = surprises;
      return found;
    });
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`${name} is damaged: ${error.message}`);
    throw error;
  }
}

/** What decodes each level; null for levels that are not in the file. */
function decodersOf(content: Container, levels: number): (RangeDecoder | null)[] {
  const all = content.parts ? null : new RangeDecoder(content.payload, content.tail);
  let part = 0;
  return Array.from({ length: levels }, (_, level) => {
    if (!isCoded(content, level)) return null;
    if (!content.parts) return all;
    const payload = content.parts[part++];
    return payload ? new RangeDecoder(payload) : null;
  });
}

function readLevel(
  tables: LevelTables,
  shape: Shape,
  rate: number,
  decoder: RangeDecoder | null,
  above: Plane | null,
): { found: Level; surprises: Plane | null } {
  const { context, count, bound, cumulative } = tables;
  const [channels, height, width] = shape;
  if (!decoder) {
    const symbols = new Int32Array(channels * height * width);
    const surprises = context && surprisesOfZeros(tables, context, shape, rate);
    return { found: { shape, symbols, coded: false, bits: 0 }, surprises };
  }
  let bits = 0;
  const take: Take = (table) => {
    const row = table * count;
    const symbol = decoder.symbol(cumulative, row, count);
    const end = symbol + 1 < count ? cumulative[row + symbol + 1] : 65536;
    bits += 16 - Math.log2(end - cumulative[row + symbol]);
    return symbol - bound;
  };
  if (context) {
    const { symbols, surprises } = decodeWithContexts(tables, context, shape, rate, above, take);
    return { found: { shape, symbols: symbols.values, coded: true, bits }, surprises };
  }
  const symbols = new Int32Array(channels * height * width);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) symbols[at++] = take(classOf(tables, rate, c, y, x));
    }
  }
  return { found: { shape, symbols, coded: true, bits }, surprises: null };
}
