/** Errors that a user can cause. The message is one sentence: file, fact, mend. The classes are those of the Python package. */

/** A failure a user can cause and mend. */
export class InvcompError extends Error {
  override name = "InvcompError";
}

/** The call itself is wrong: an option, a combination. */
export class UsageError extends InvcompError {
  override name = "UsageError";
}

/** A file is not an invcomp file, or it is truncated or damaged, or needs another prior. */
export class FormatError extends InvcompError {
  override name = "FormatError";
}

/** A picture cannot be made: it is too large, or its codec is not there. */
export class ImageError extends InvcompError {
  override name = "ImageError";
}

/** A prior is incomplete or damaged, or its parts are of different priors. */
export class PriorError extends InvcompError {
  override name = "PriorError";
}
