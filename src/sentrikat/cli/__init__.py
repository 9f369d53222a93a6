"""The command line: `sentrikat <command>`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError

from sentrikat.domain.errors import SentriKatError

# Every command, in the order the help shows them. The module of that name registers itself with
# `add_to(app)`; a new one is added here and documented in docs/admin/commands.md.
COMMANDS = (
    "up",
    "serve",
    "worker",
    "migrate",
    "feeds",
    "scan",
    "explain",
    "users",
    "identity",
    "keys",
    "audit",
    "doctor",
)


def application(commands: Sequence[str] = COMMANDS) -> typer.Typer:
    """Make the command line with some or all commands."""
    app = typer.Typer(
        name="sentrikat",
        help="Software inventory in, known-exploited vulnerabilities out, explained and proven.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_main)
    for name in commands:
        import_module(f"{__name__}.{name}").add_to(app)
    return app


def _main(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if show_version:
        print(f"sentrikat {version('sentrikat')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status. An expected error is a message, no trace."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # What the other commands import takes a good part of the second start, which `up` makes three times.
    named = [name for name in arguments[:1] if name in COMMANDS]
    try:
        status = application(named or COMMANDS)(arguments, standalone_mode=False)
    except SentriKatError as error:
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]Error:[/] {_plain(error.message)}", soft_wrap=True)
        if error.hint:
            console.print(_plain(error.hint), soft_wrap=True)
        return 1
    except OperationalError as error:
        console = Console(stderr=True, highlight=False)
        console.print(
            f"[bold red]Error:[/] The database stopped answering: {_plain(str(error.orig).strip())}"
        )
        console.print(
            "What was not committed is rolled back; nothing is half done. sentrikat doctor looks closer."
        )
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return 130  # as shells report an interrupt
    except typer.Exit as ending:
        return int(ending.exit_code)
    except Exception as error:
        # click's own errors: a wrong option, a missing argument
        if (show := getattr(error, "show", None)) is not None:
            show()
            return int(getattr(error, "exit_code", 2))
        raise
    return status if isinstance(status, int) else 0


def _plain(text: str) -> str:
    """Keep rich from reading brackets of a message as markup."""
    return text.replace("[", r"\[")


if __name__ == "__main__":
    sys.exit(run())
