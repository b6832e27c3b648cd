/** How large a JPEG XL picture is, and whether it is a still one, from its first bytes (ISO/IEC 18181-1, annex D). */

import type { Size } from "./fields.js";

const CODESTREAM = [0xff, 0x0a];
const BOXES = [0, 0, 0, 12, 0x4a, 0x58, 0x4c, 0x20, 13, 10, 0x87, 10];
const RATIOS = [[1, 1], [12, 10], [4, 3], [3, 2], [16, 9], [5, 4], [2, 1]]; // of width to height
const SIDE_BITS = [9, 13, 18, 30];

/** Bits of bytes, the lowest of each first. */
class Bits {
  private at = 0;

  constructor(private readonly data: Uint8Array) {}

  /** The next so many as a number. Throws `RangeError` at the end. */
  take(count: number): number {
    let value = 0;
    for (let n = 0; n < count; n++, this.at++) {
      if (this.at >> 3 >= this.data.length) throw new RangeError("it ends early");
      value += ((this.data[this.at >> 3] >> (this.at & 7)) & 1) * 2 ** n;
    }
    return value;
  }
}

/** Size of a still picture; null for anything else, and for what has a preview or another size to be shown at. */
export function jxlSize(data: Uint8Array): Size | null {
  const stream = codestream(data);
  if (!stream) return null;
  try {
    return sizeOf(new Bits(stream.subarray(2, 34)));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function sizeOf(bits: Bits): Size | null {
  const small = bits.take(1);
  const side = () => (small ? 8 * (bits.take(5) + 1) : bits.take(SIDE_BITS[bits.take(2)]) + 1);
  const height = side();
  const ratio = RATIOS[bits.take(3) - 1];
  const width = ratio ? Math.floor((height * ratio[0]) / ratio[1]) : side();
  if (!bits.take(1) && bits.take(1)) {
    bits.take(3); // orientation
    if (bits.take(3)) return null;
  }
  return { width, height };
}

/** The beginning of the codestream, bare or in boxes. */
function codestream(data: Uint8Array): Uint8Array | null {
  if (begins(data, CODESTREAM)) return data;
  if (!begins(data, BOXES)) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let at = BOXES.length; at + 8 <= data.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...data.subarray(at + 4, at + 8));
    const start = kind === "jxlc" ? at + 8 : kind === "jxlp" ? at + 12 : data.length;
    if (begins(data.subarray(start), CODESTREAM)) return data.subarray(start);
    if (length < 8) return null;
    at += length;
  }
  return null;
}

function begins(data: Uint8Array, bytes: number[]): boolean {
  return bytes.every((byte, n) => data[n] === byte);
}
