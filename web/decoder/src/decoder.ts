/** Bytes → picture: the one place where container, symbols, generator and resizing meet. */

import { bitCount, type Container, isCoded, readContainer, toBytes } from "./container.js";
import { UsageError } from "./errors.js";
import { type LevelValues, withZeros } from "./factors.js";
import type { Size } from "./fields.js";
import { decodeStill } from "./foreign.js";
import { fromPlanes, roundHalfEven, toImageData } from "./pixels.js";
import type { Prior } from "./prior.js";
import { resize } from "./resize.js";
import { type Level, pictureSize, readSymbols } from "./symbols.js";

const MAX_SHOWN = 4096; // longest side in pixels that is asked for

export interface ReadOptions {
  /** Show a truncated progressive file as far as its levels are whole. */
  partial?: boolean | undefined;
  /** How messages call the file. */
  name?: string | undefined;
}

export interface PaintOptions {
  /** The prior's own size in place of the original's. */
  native?: boolean | undefined;
  /** Longer side in pixels in place of the original's. */
  size?: number | undefined;
  /** How many of the coarsest latent levels are used; what the others would say is left to the prior. */
  levels?: number | undefined;
  name?: string | undefined;
}

/** A file that is read, to be painted once or several times. */
export interface Reading {
  content: Container;
  /** Size of the original in pixels. */
  size: Size;
  /** Symbols, coarse to fine; none of a foreign picture. */
  levels: Level[];
  /** How many levels the whole file has. */
  coded: number;
}

/** The bytes of a file → a picture of the original's size. Throws `FormatError`, and others of `InvcompError`. */
export async function decode(
  bytes: Uint8Array | ArrayBuffer,
  prior: Prior,
  options: ReadOptions & PaintOptions = {},
): Promise<ImageData> {
  checkShown(prior, options);
  return paint(read(bytes, prior, options), prior, options);
}

/** What a file says, and its symbols. Throws `FormatError`. */
export function read(bytes: Uint8Array | ArrayBuffer, prior: Prior, options: ReadOptions = {}): Reading {
  const { name = "the file", partial = false } = options;
  const content = readContainer(toBytes(bytes), prior.id, name, partial);
  const size = pictureSize(content, prior.architecture, name);
  const levels = content.foreign ? [] : readSymbols(content, prior.architecture, prior.tables, name);
  const coded = content.levels === null ? levels.length : bitCount(content.levels);
  return { content, size, levels, coded };
}

/** The picture of a file that is read. */
export async function paint(reading: Reading, prior: Prior, options: PaintOptions = {}): Promise<ImageData> {
  checkShown(prior, options);
  const { content, size } = reading;
  const { name = "the file" } = options;
  const shown = shownSize(size, prior, options);
  if (content.foreign) {
    const still = await decodeStill(content.foreign, content.payload, size, name);
    return toImageData(resize(still, shown.width, shown.height));
  }
  const painted = await prior.generator.paint(
    usedLevels(reading, prior, options.levels),
    content.rate,
    Math.max(shown.width, shown.height),
  );
  const whole = prior.architecture.imageSize === null ? size : painted;
  return toImageData(resize(fromPlanes(painted.planes, painted, whole), shown.width, shown.height));
}

/** The coarsest `most` levels of a file, and of the others that it codes what the prior expects, or zeros. */
export function usedLevels({ content, levels }: Reading, { factors }: Prior, most = levels.length): LevelValues[] {
  const missing = levels.map(({ coded }, n) => isCoded(content, n) && !(coded && n < most));
  return factors?.fill(levels, missing, content.rate) ?? withZeros(levels, missing);
}

/** Size of a decoded picture whose original had the size `own`. */
function shownSize(own: Size, { architecture: { imageSize } }: Prior, { native, size }: PaintOptions): Size {
  if (native) return imageSize === null ? own : { width: imageSize, height: imageSize };
  if (size === undefined) return own;
  const longer = Math.max(own.width, own.height);
  const side = (pixels: number) => Math.max(1, roundHalfEven((pixels * size) / longer));
  return { width: side(own.width), height: side(own.height) };
}

/** Throws `UsageError` for a size or number of levels that cannot be had. */
function checkShown({ info, architecture }: Prior, { native, size, levels }: PaintOptions): void {
  if (native && size !== undefined) {
    throw new UsageError("the prior's own size and another one cannot both be had: give one of native and size");
  }
  if (size !== undefined && !isWhole(size, MAX_SHOWN)) {
    throw new UsageError(`the size of a picture lies between 1 and ${MAX_SHOWN} pixels, not ${size}`);
  }
  if (levels !== undefined && !isWhole(levels, architecture.levels)) {
    throw new UsageError(`the prior ${info.name} has 1 to ${architecture.levels} levels, not ${levels}`);
  }
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}
