/**
 * The range decoder of the library constriction (`stream.queue.RangeDecoder`): 32-bit words, 64-bit state, 24 bits of precision.
 *
 * Source: R. Bamler, "Understanding Entropy Coding With Asymmetric Numeral Systems", 2022, and docs/format.md.
 */

import { FormatError } from "./errors.js";

const MASK = (1n << 64n) - 1n;
const WORD = 32n;
const PRECISION = 1 << 24;
const ONE_WORD = 1n << WORD;

/** Decodes symbols from a binary fraction: whole bytes, then the two bits of `tail`, then zeros without end. */
export class RangeDecoder {
  private readonly data: Uint8Array;
  private at = 0;
  /** What lies between the lower end of the interval and the point that the bytes name; below `range`. */
  private distance: bigint;
  private range = MASK;

  constructor(payload: Uint8Array, tail = 0) {
    this.data = new Uint8Array(payload.length + 1);
    this.data.set(payload);
    this.data[payload.length] = tail << 6;
    this.distance = (this.word() << WORD) | this.word();
  }

  private word(): bigint {
    let word = 0;
    for (let n = 0; n < 4; n++) word = word * 256 + (this.data[this.at++] ?? 0);
    return BigInt(word);
  }

  /**
   * The next symbol, counted from 0, of `count` with cumulative frequencies `cumulative[row … row + count - 1]` of 65,536.
   *
   * Throws `FormatError` for the few bit strings that lie in the gaps that the coder's rounding leaves.
   */
  symbol(cumulative: Uint16Array, row: number, count: number): number {
    const scale = this.range >> 24n;
    const quantile = Number(this.distance / scale);
    if (quantile >= PRECISION) throw new FormatError("the payload stands for no symbols; get the file again");
    let low = 0;
    let high = count; // start(low) <= quantile < start(high)
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (startOf(cumulative, row, count, middle) <= quantile) low = middle;
      else high = middle;
    }
    const start = startOf(cumulative, row, count, low);
    this.distance -= scale * BigInt(start);
    this.range = scale * BigInt(startOf(cumulative, row, count, high) - start);
    if (this.range < ONE_WORD) {
      this.distance = ((this.distance << WORD) | this.word()) & MASK;
      this.range <<= WORD;
    }
    return low;
  }
}

/** Where a symbol's interval begins, in parts of 2^24: frequencies of 2^16 rescaled so that each keeps 1 at least. */
function startOf(cumulative: Uint16Array, row: number, count: number, symbol: number): number {
  if (symbol === count) return PRECISION;
  return Math.floor((cumulative[row + symbol] * (PRECISION - count)) / 65536) + symbol;
}
