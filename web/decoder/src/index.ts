/** Decodes invcomp's `.inv` files: `decode(bytes, prior) → ImageData`. */

export type { Architecture } from "./architecture.js";
export { type Codec, type Container, type Header, MAX_BYTES, readContainer, readHeader, shortId } from "./container.js";
export { decode, paint, type PaintOptions, read, type Reading, type ReadOptions } from "./decoder.js";
export { FormatError, ImageError, InvcompError, PriorError, UsageError } from "./errors.js";
export type { Factors } from "./factors.js";
export type { Placement, Size } from "./fields.js";
export type { Generator } from "./generator.js";
export { type FileInfo, info } from "./info.js";
export {
  idBytes,
  type LoadOptions,
  loadPrior,
  namesOf,
  PRIOR_FILES,
  type Prior,
  type PriorInfo,
  type PriorSource,
} from "./prior.js";
export { type Build, buildFor, type Device, hasWebgpu } from "./runtime.js";
export type { Level } from "./symbols.js";
export type { LevelTables } from "./tables.js";
