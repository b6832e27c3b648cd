"""The command line: thin callers of `Codec`, training and lab. torch is imported only where it computes."""

import sys

import typer

from invcomp.commands.carriers import join, qr, split
from invcomp.commands.compressing import OptionalAlignment, compress
from invcomp.commands.decompressing import decompress
from invcomp.commands.lab import ablate, bench
from invcomp.commands.priors import export_decoder, import_prior, info, priors, sample
from invcomp.commands.training import train_prior

app = typer.Typer(
    name="invcomp",
    help="Pictures of a domain in a few hundred bytes, through a generative prior.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich alone would take half of the 0.3 s that --help may
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(cls=OptionalAlignment)(compress)
for command in (
    decompress,
    info,
    priors,
    sample,
    qr,
    split,
    join,
    bench,
    ablate,
    train_prior,
    import_prior,
    export_decoder,
):
    app.command(name=command.__name__.replace("_", "-"))(command)


def main() -> None:
    """The `invcomp` command."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
