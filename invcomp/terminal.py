"""What commands share: options that all of them take, what they say, and how they end."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from invcomp.errors import InvcompError, UsageError

if TYPE_CHECKING:
    from invcomp.jobs import Targets

Inputs = Annotated[list[str], typer.Argument(help="Files, folders, or - for standard input.", show_default=False)]
Output = Annotated[str | None, typer.Option("-o", "--output", help="File, folder, or - for standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing outputs.")]
PriorName = Annotated[str, typer.Option("--prior", help="Name of an installed prior, or its folder.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave outputs that exist as they are: completes an interrupted call.")
]
Label = Annotated[bool, typer.Option("--label", help='Draw a small mark, "generated likeness", into the corner.')]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable results on standard output.")]


def say(message: str) -> None:
    """A line for the person at the terminal, on standard error."""
    typer.echo(message, err=True)


def fail(error: InvcompError) -> NoReturn:
    say(f"invcomp: {error}")
    raise typer.Exit(error.exit_code)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Errors a user can cause become one sentence and an exit code."""
    try:
        yield
    except InvcompError as error:
        fail(error)
    except ModuleNotFoundError as error:
        from invcomp.extras import explained

        known = explained(error)
        if not isinstance(known, InvcompError):
            raise
        fail(known)
    except OSError as error:
        fail(InvcompError(f"{error.filename or 'the output'}: {error.strerror or error}"))
    except KeyboardInterrupt:
        say("invcomp: interrupted; outputs and kept results that were finished are there")
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(label: str, total: float, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error; gives a function that is told how much is done, and what is being done.

    None where nobody would see it.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, text=None: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=total)

        def update(done: float, text: str | None = None) -> None:
            bar.update(task, completed=done, description=text or label)

        yield update


def print_table(title: str | None, columns: list[str], rows: list[list[str]]) -> None:
    """A table on standard output; text columns left, numbers right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)


def show(notes: list[str], tables: list[tuple[str, list[str], list[list[str]]]]) -> None:
    """Notes on standard error, tables (title, columns, rows) on standard output."""
    for note in notes:
        say(note)
    for title, columns, rows in tables:
        print_table(title, columns, rows)


def finish(entries: list[dict[str, Any]], as_json: bool, streamed: bool, columns: list[str]) -> None:
    """Print results, name what failed, and end with 1 if anything did."""
    failed = [entry for entry in entries if "error" in entry]
    if as_json:
        print(json.dumps({"files": entries}, indent=1))
    elif not streamed and len(entries) > len(failed):
        rows = [[cell(entry, column) for column in columns] for entry in entries if "error" not in entry]
        print_table(None, columns, rows)
    if skipped := sum("skipped" in entry for entry in entries):
        say(f"invcomp: outputs that existed and are left as they are: {skipped} of {len(entries)}")
    for entry in failed:
        say(f"invcomp: {entry['error']}")
    if failed:
        if len(entries) > 1:
            others = "; the others are done" if len(failed) < len(entries) else ""
            rest = ", and the same call with --skip-existing leaves them as they are" if others else ""
            say(f"invcomp: {len(failed)} of {len(entries)} files failed{others}{rest}")
        raise typer.Exit(1)


def cell(entry: dict[str, Any], column: str) -> str:
    """What a table says of an output; of one that was skipped little is known."""
    if "skipped" in entry and column not in entry:
        return "skipped" if column == "bytes" else "–"
    value = entry.get(column)
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def guarded(force: bool, skip: bool, streamed: bool, as_json: bool, what: str) -> "Targets":
    """The outputs of a call, with what becomes of those that exist. Raises `UsageError`.

    `streamed`: `what` is made goes to standard output.
    """
    from invcomp.jobs import Targets

    if as_json and streamed:
        raise UsageError(f"--json and the {what} cannot both go to standard output: give -o")
    if skip and streamed:
        raise UsageError("--skip-existing has no meaning with standard output: give -o")
    return Targets(force, skip)


def in_order(there: dict[int, dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of all jobs: those of skipped ones at their places, the others between them."""
    rest = iter(others)
    return [there[n] if n in there else next(rest) for n in range(len(there) + len(others))]
