/**
 * Pillow's resampling with its Lanczos filter, step by step as Pillow 13 does it for 8-bit pictures (src/libImaging/Resample.c),
 * so that pixels are the same: coefficients rounded to 22 bits, one direction after the other, rounded to 8 bits in between.
 */

import { type Pixels, newPixels } from "./pixels.js";

const SUPPORT = 3;
const PRECISION_BITS = 32 - 8 - 2;

/** For every pixel of a resized line, from where on which coefficients weigh the pixels of the original. */
interface Weights {
  /** Coefficients of every pixel; pixel n has `coefficients[n * most … ]`. */
  most: number;
  first: Int32Array;
  count: Int32Array;
  coefficients: Int32Array;
}

/** A picture resized to `width` x `height`; the same one if it has that size. */
export function resize(picture: Pixels, width: number, height: number): Pixels {
  const shorter = picture.height - height;
  const columnsFirst = shorter > 0 && shorter > 2 * (picture.width - width); // Pillow before 13 always begins with the rows
  return columnsFirst ? toWidth(toHeight(picture, height), width) : toHeight(toWidth(picture, width), height);
}

function toWidth(picture: Pixels, width: number): Pixels {
  return width === picture.width ? picture : resizeRows(picture, width);
}

function toHeight(picture: Pixels, height: number): Pixels {
  return height === picture.height ? picture : resizeColumns(picture, height);
}

function lanczos(x: number): number {
  return x >= -SUPPORT && x < SUPPORT ? sinc(x) * sinc(x / SUPPORT) : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** Weights of a line of `from` pixels resized to `to`. */
function weightsOf(from: number, to: number): Weights {
  const scale = from / to;
  const filterScale = Math.max(1, scale);
  const support = SUPPORT * filterScale;
  const most = Math.ceil(support) * 2 + 1;
  const weights: Weights = {
    most,
    first: new Int32Array(to),
    count: new Int32Array(to),
    coefficients: new Int32Array(to * most),
  };
  const values = new Float64Array(most);
  for (let n = 0; n < to; n++) {
    const centre = (n + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - first;
    let sum = 0;
    for (let k = 0; k < count; k++) sum += values[k] = lanczos((k + first - centre + 0.5) * (1 / filterScale));
    for (let k = 0; k < count; k++) {
      const value = (sum ? values[k] / sum : values[k]) * (1 << PRECISION_BITS);
      weights.coefficients[n * most + k] = Math.trunc(value < 0 ? value - 0.5 : value + 0.5);
    }
    weights.first[n] = first;
    weights.count[n] = count;
  }
  return weights;
}

const HALF = 1 << (PRECISION_BITS - 1);

function clip(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function resizeRows(picture: Pixels, width: number): Pixels {
  const { most, first, count, coefficients } = weightsOf(picture.width, width);
  const found = newPixels(width, picture.height);
  for (let y = 0; y < picture.height; y++) {
    const row = y * picture.width;
    for (let x = 0; x < width; x++) {
      let red = HALF, green = HALF, blue = HALF;
      let at = 3 * (row + first[x]);
      for (let k = x * most, end = k + count[x]; k < end; k++) {
        const weight = coefficients[k];
        red += picture.rgb[at++] * weight;
        green += picture.rgb[at++] * weight;
        blue += picture.rgb[at++] * weight;
      }
      const to = 3 * (y * width + x);
      found.rgb[to] = clip(red);
      found.rgb[to + 1] = clip(green);
      found.rgb[to + 2] = clip(blue);
    }
  }
  return found;
}

function resizeColumns(picture: Pixels, height: number): Pixels {
  const { most, first, count, coefficients } = weightsOf(picture.height, height);
  const found = newPixels(picture.width, height);
  const line = 3 * picture.width;
  const sums = new Int32Array(line);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < count[y]; k++) {
      const weight = coefficients[y * most + k];
      const from = (first[y] + k) * line;
      for (let n = 0; n < line; n++) sums[n] += picture.rgb[from + n] * weight;
    }
    for (let n = 0; n < line; n++) found.rgb[y * line + n] = clip(sums[n]);
  }
  return found;
}
