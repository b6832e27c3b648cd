/** Facts about a file, without decoding. */

import { type Codec, readContainer, readHeader, toBytes } from "./container.js";
import type { Placement, Size } from "./fields.js";

/** What a file says. What is not known without its prior is left out. */
export interface FileInfo {
  bytes: number;
  version: number;
  checksumBits: number;
  /** The first 11 bits of the id of its prior. */
  shortId: number;
  rate?: number;
  /** The codec of a foreign file, which has no rate. */
  codec?: Codec;
  /** Id of the prior, hexadecimal. */
  priorId?: string;
  prior?: string;
  /** Size of the original in pixels; null for the prior's own. */
  size?: Size | null;
  /** Bits of the coded levels, the coarsest lowest; null if all are. */
  levels?: number | null;
  payloadBytes?: number;
  /** Of a progressive file: after how many bytes it can be cut. */
  cutPoints?: number[];
  placement?: Placement;
}

/** Facts about a file; with its prior, what the checksum protects too. Throws `FormatError`. */
export function info(
  bytes: Uint8Array | ArrayBuffer,
  prior?: { id: Uint8Array; info: { name: string; id: string } },
  options: { name?: string; partial?: boolean } = {},
): FileInfo {
  const data = toBytes(bytes);
  const header = readHeader(data, options.name);
  const facts = { bytes: data.length, version: 1, checksumBits: 8 * header.checksum, shortId: header.shortId };
  if (!prior) return { ...facts, rate: header.rate };
  const content = readContainer(data, prior.id, options.name, options.partial);
  const parts = content.parts ?? [content.payload];
  return {
    ...facts,
    ...(content.foreign ? { codec: content.foreign } : { rate: content.rate, levels: content.levels }),
    prior: prior.info.name,
    priorId: prior.info.id,
    size: content.size,
    payloadBytes: parts.reduce((sum, part) => sum + part.length, 0),
    ...(content.parts && { cutPoints: content.cutPoints }),
    ...(content.placement && { placement: content.placement }),
  };
}
