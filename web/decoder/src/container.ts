/** The container, version 1: a header of 3 bytes, optional fields, the payload, a checksum of 2 bytes or 1. */

import { type ChecksumSize, intact, sizeOf } from "./checksums.js";
import { FormatError, UsageError } from "./errors.js";
import { ByteReader, EndsEarly, NO_FIELDS, type Placement, readFields, type Size } from "./fields.js";

const MAGIC = 0b1010,
  VERSION = 1;
const ID_BITS = 11;
const HEADER = 3; // bytes
/** Of a file. */
export const MAX_BYTES = 1 << 26;

/** Codecs of foreign payloads, by the rate index. */
export const CODECS = ["webp", "jxl"] as const;
export type Codec = (typeof CODECS)[number];

/** What can be read before the prior is known. */
export interface Header {
  /** The first 11 bits of the prior id. */
  shortId: number;
  rate: number;
  /** Bytes of every checksum. */
  checksum: ChecksumSize;
}

/** What a file says. */
export interface Container {
  rate: number;
  payload: Uint8Array;
  /** The two bits that follow the payload. */
  tail: number;
  /** Of the original in pixels; null for the prior's own size. */
  size: Size | null;
  /** Bits of the coded levels, the coarsest lowest; null if all are. */
  levels: number | null;
  placement: Placement | null;
  /** Payloads of the coded levels of a progressive file that are there; null in other files. */
  parts: Uint8Array[] | null;
  /** After how many bytes of a progressive file each of its parts ends, checksum included. */
  cutPoints: number[];
  /** The codec whose file the payload is in place of symbols. */
  foreign: Codec | null;
  checksum: ChecksumSize;
}

/** The 11 bits of a prior id of 32 bytes that a file carries. */
export function shortId(priorId: Uint8Array): number {
  return ((priorId[0] << 8) | priorId[1]) >> (16 - ID_BITS);
}

/** Bytes that a caller gives. Throws `UsageError` for anything else. */
export function toBytes(data: Uint8Array | ArrayBuffer): Uint8Array {
  if (data instanceof Uint8Array || data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new UsageError(`the bytes of a file are a Uint8Array or an ArrayBuffer, not ${kindOf(data)}`);
}

function kindOf(value: unknown): string {
  return value === null || value === undefined ? String(value) : `a ${(value as object).constructor?.name ?? "thing"}`;
}

/** Rate index and prior of a file. Throws `FormatError`. */
export function readHeader(data: Uint8Array, name = "the file"): Header {
  if (!data.length) throw new FormatError(`${name} is empty`);
  if (data.length > MAX_BYTES) {
    throw new FormatError(`${name} is larger than the ${MAX_BYTES >> 20} MB that an invcomp file has at most`);
  }
  if (data[0] >> 4 !== MAGIC) throw new FormatError(`${name} is not an invcomp file`);
  const version = ((data[0] >> 3) & 1) + 1;
  if (version !== VERSION) {
    throw new FormatError(`${name} has format version ${version}; this program reads version ${VERSION}`);
  }
  if (data.length < HEADER + sizeOf(data)) {
    throw new FormatError(`${name} is truncated: it has ${data.length} bytes, fewer than any invcomp file`);
  }
  const word = (data[1] << 8) | data[2];
  return { shortId: word & ((1 << ID_BITS) - 1), rate: (word >> ID_BITS) & 15, checksum: sizeOf(data) };
}

/**
 * The container in `data`, written for the prior `priorId` (32 bytes). Throws `FormatError` for anything else.
 *
 * `partial`: of a truncated progressive file, with the levels that are there whole.
 */
export function readContainer(data: Uint8Array, priorId: Uint8Array, name = "the file", partial = false): Container {
  const header = readHeader(data, name);
  if (header.shortId !== shortId(priorId)) {
    throw new FormatError(`${name} was written with another prior; load that one`);
  }
  const whole = intact(priorId, data);
  if (!whole && !partial) {
    throw new FormatError(`${name} is truncated or damaged: its checksum does not agree; get it again`);
  }
  const reader = new ByteReader(data, HEADER);
  const { progressive, foreign, ...said } = data[1] >> 7 ? readFields(reader, name) : NO_FIELDS;
  const content: Container = {
    ...said,
    rate: header.rate,
    payload: new Uint8Array(),
    tail: 0,
    parts: null,
    cutPoints: [],
    foreign: null,
    checksum: header.checksum,
  };
  if (progressive) return { ...content, ...readParts(data, reader.at, priorId, content, name, partial) };
  if (!whole) {
    throw new FormatError(`${name} is truncated or damaged, and not progressive: nothing of it can be shown`);
  }
  if (data[data.length - 1] === 0 && intact(priorId, data.subarray(0, -1))) {
    throw new FormatError(`${name} is damaged: zeros follow its end; cut them off, or get it again`);
  }
  const end = data.length - header.checksum;
  if (end < reader.at) throw new FormatError(`${name} is damaged: its header ends early; get it again`);
  if (foreign && header.rate >= CODECS.length) {
    throw new FormatError(`${name} holds a picture of a codec that this version does not know; update invcomp`);
  }
  const payload = data.subarray(reader.at, end);
  const kind = foreign ? { rate: 0, foreign: CODECS[header.rate] } : {};
  return { ...content, payload, tail: data[0] & 3, ...kind };
}

/** The levels of a progressive file, which begin at `start`, that are there whole. Throws `FormatError`. */
function readParts(
  data: Uint8Array,
  start: number,
  priorId: Uint8Array,
  { levels, checksum }: Container,
  name: string,
  partial: boolean,
): { parts: Uint8Array[]; cutPoints: number[] } {
  const coded = bitCount(levels ?? 0);
  const parts: Uint8Array[] = [];
  const cutPoints: number[] = [];
  let at = start;
  while (data.length - at > checksum && parts.length < coded) {
    const reader = new ByteReader(data, at);
    let length: number;
    try {
      length = reader.varint();
    } catch (error) {
      if (error instanceof EndsEarly) break;
      throw error;
    }
    const end = reader.at + length + checksum;
    if (end > data.length || !intact(priorId, data.subarray(0, end))) break;
    parts.push(data.subarray(reader.at, reader.at + length));
    cutPoints.push(end);
    at = end;
  }
  if (parts.length === coded && data.length - at !== (coded ? 0 : checksum)) {
    throw new FormatError(`${name} is damaged: its levels do not fill it; get it again`);
  }
  if (parts.length < coded && !(partial && parts.length)) {
    throw new FormatError(
      `${name} is truncated or damaged: ${parts.length} of its ${coded} levels are there; get it again`,
    );
  }
  return { parts, cutPoints };
}

/** Whether a file codes a level, be it there or cut off. */
export function isCoded({ levels }: Container, level: number): boolean {
  return levels === null || Boolean((levels >> level) & 1);
}

/** How many bits are set. */
export function bitCount(value: number): number {
  let count = 0;
  for (; value; value >>= 1) count += value & 1;
  return count;
}
