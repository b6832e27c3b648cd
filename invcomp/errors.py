"""Errors that a user can cause. The message is one sentence: file, fact, mend."""


class InvcompError(Exception):
    """A failure a user can cause and mend; the command line prints its message and no traceback."""

    exit_code = 1


class UsageError(InvcompError):
    """The call itself is wrong: an option, a name, a combination."""

    exit_code = 2


class LossError(UsageError):
    """A loss expression cannot be understood, or one of its terms cannot be had."""


class UnknownPriorError(UsageError):
    """No installed prior and no folder has the name."""


class ImageError(InvcompError):
    """A picture cannot be read."""


class QualityError(InvcompError):
    """A prior cannot reach the quality that is asked for."""


class MismatchError(InvcompError):
    """A picture is none of a prior's domain, and such are to be refused."""


class MismatchWarning(UserWarning):
    """A picture is none of a prior's domain."""


class FormatError(InvcompError):
    """A file is not an invcomp file, or it is truncated or damaged."""


class PriorError(InvcompError):
    """A prior is incomplete or damaged."""


class DataError(InvcompError):
    """A training set or checkpoint cannot be used."""


class OutputError(InvcompError):
    """An output cannot be written."""


class MissingPackageError(InvcompError):
    """An optional package, or the weights that it needs, are not there."""
