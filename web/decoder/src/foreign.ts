/** Pictures that no prior suits: WebP or JPEG XL inside of the container. The browser decodes them. */

import type { Codec } from "./container.js";
import { FormatError } from "./errors.js";
import type { Size } from "./fields.js";
import { jxlSize } from "./jxl.js";
import { newPixels, type Pixels } from "./pixels.js";

const NAMES = { webp: "WebP", jxl: "JPEG XL" };
const START_CODE = [0x9d, 0x01, 0x2a]; // of a key frame of VP8, RFC 6386, section 9.1
const PROBES: Record<Codec, string> = {
  webp: "UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEADMDOJaQAA3AA/uxnAAA=",
  jxl: "/woAEBAJCAABABgASxiLFYIB",
};

/** A picture of at most so many pixels. Throws `FormatError` for a damaged one, and where it cannot be decoded. */
export async function decodeStill(codec: Codec, payload: Uint8Array, most: Size, name: string): Promise<Pixels> {
  const size = codec === "webp" ? vp8Size(payload) : jxlSize(payload);
  const damaged = new FormatError(`${name} is damaged: what it holds is no ${NAMES[codec]} picture; get it again`);
  if (!size) throw damaged;
  if (size.width > most.width || size.height > most.height) {
    throw new FormatError(`${name} is damaged: the picture in it is larger than it says; get it again`);
  }
  const file = codec === "webp" ? webpFile(payload) : new Uint8Array(payload);
  const pixels = await decodedByBrowser(codec, file);
  if (pixels) return pixels;
  const probe = Uint8Array.from(atob(PROBES[codec]), (letter) => letter.charCodeAt(0));
  if (await decodedByBrowser(codec, probe)) throw damaged;
  const here = typeof createImageBitmap === "undefined" ? "only a browser can decode" : "this browser cannot decode";
  throw new FormatError(`${name} holds a ${NAMES[codec]} picture, which ${here}; use invcomp decompress`);
}

/** Width and height from the frame header of a lossy WebP; null for anything else. */
function vp8Size(payload: Uint8Array): Size | null {
  if (payload.length < 10 || payload[0] & 1 || START_CODE.some((byte, n) => payload[3 + n] !== byte)) return null;
  return { width: (payload[6] | (payload[7] << 8)) & 0x3fff, height: (payload[8] | (payload[9] << 8)) & 0x3fff };
}

/** A WebP file of the data of its chunk `VP8 `. */
export function webpFile(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = payload.length + (payload.length % 2);
  const file = new Uint8Array(20 + padded);
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode("RIFF    WEBPVP8 "));
  view.setUint32(4, padded + 12, true);
  view.setUint32(16, payload.length, true);
  file.set(payload, 20);
  return file;
}

/** The pixels of a picture file; null if it cannot be decoded. */
async function decodedByBrowser(codec: Codec, file: Uint8Array<ArrayBuffer>): Promise<Pixels | null> {
  if (typeof createImageBitmap === "undefined") return null;
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([file], { type: `image/${codec}` }), { colorSpaceConversion: "none" });
  } catch {
    return null;
  }
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return null;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = newPixels(width, height);
  for (let from = 0, to = 0; from < data.length; from++) if (from % 4 < 3) pixels.rgb[to++] = data[from];
  return pixels;
}
