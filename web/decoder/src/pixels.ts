/** Pictures as bytes: red, green, blue of one pixel after another. */

import { ImageError } from "./errors.js";
import type { Size } from "./fields.js";

export interface Pixels extends Size {
  /** 3 bytes a pixel, row by row. */
  rgb: Uint8Array;
}

/** A black picture. Throws `ImageError` if there is no memory for it. */
export function newPixels(width: number, height: number): Pixels {
  return { width, height, rgb: allocated(3 * width * height) };
}

/** Planes (3, H, W) of values in [0, 1], not clamped → the upper left `width` x `height` of them. */
export function fromPlanes(planes: Float32Array, stride: Size, { width, height }: Size): Pixels {
  const picture = newPixels(width, height);
  const area = stride.width * stride.height;
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * stride.width + x;
      for (let colour = 0; colour < 3; colour++) {
        const value = planes[colour * area + at] || 0; // NaN becomes 0
        picture.rgb[to++] = roundHalfEven(Math.fround(Math.min(1, Math.max(0, value)) * 255));
      }
    }
  }
  return picture;
}

/** Rounds halves to even, as Python and IEEE 754 do. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const over = value - below;
  return over > 0.5 || (over === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** What browsers draw: 4 bytes a pixel, opaque. Where there is no such class, an object of the same fields. */
export function toImageData({ width, height, rgb }: Pixels): ImageData {
  const data = new Uint8ClampedArray(allocated(4 * width * height).buffer);
  for (let from = 0, to = 0; from < rgb.length; to += 4) {
    data[to] = rgb[from++];
    data[to + 1] = rgb[from++];
    data[to + 2] = rgb[from++];
    data[to + 3] = 255;
  }
  if (typeof ImageData !== "undefined") return new ImageData(data, width, height);
  return { data, width, height, colorSpace: "srgb" } as ImageData;
}

function allocated(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw new ImageError(`the picture takes ${Math.ceil(bytes / 1e6)} MB, more memory than there is; ask for a smaller size`);
  }
}
