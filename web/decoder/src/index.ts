/** Decodes invcomp's `.inv` files: `decode(bytes, prior) → ImageData`. */

export { type Codec, type Container, type Header, readContainer, readHeader, shortId } from "./container.js";
export { decode, paint, type PaintOptions, read, type Reading, type ReadOptions } from "./decoder.js";
export { FormatError, ImageError, InvcompError, PriorError, UsageError } from "./errors.js";
export type { Placement, Size } from "./fields.js";
export { type FileInfo, info } from "./info.js";
export { type LoadOptions, loadPrior, type Prior, type PriorInfo, type PriorSource } from "./prior.js";
export { type Build, buildFor, type Device, hasWebgpu } from "./runtime.js";
export type { Level } from "./symbols.js";
