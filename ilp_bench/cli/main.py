"""The command line. Heavy libraries are imported by the command that needs them, never by ``--help``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ilp_bench import __version__
from ilp_bench.cli import data, decisions, diagnosis, models, references, submissions
from ilp_bench.cli.options import START, AsJson, GroupedCommands, Seed, example
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.untrusted import printable

app = typer.Typer(
    cls=GroupedCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="How much of what you fine-tuned on did your model learn, and why not the rest?",
)


def main() -> None:
    """Run the command line: exit code 2 for a call that cannot be carried out, 1 for a problem, each in one line."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    # torch's threads sleep while they wait for one another; spinning, they take the core that the other one needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = app(standalone_mode=False)
    except UsageError as error:
        _stop(2, printable(f"error: {error}"))
    except ProblemError as error:
        _stop(1, printable(f"problem: {error}"))
    except OSError as error:
        _stop(1, f"problem: {error.strerror or error}: {error.filename or 'check disk space and permissions'}")
    except (KeyboardInterrupt, typer.Abort):
        _stop(130, "stopped")
    except Exception as error:
        if not isinstance(error, typer.BadParameter.__bases__):  # what the parser of the command line raises
            raise
        _stop(2, _parser_message(error))
    else:
        if code == 130:
            _stop(130, "stopped")
        sys.exit(code if isinstance(code, int) else 0)


def _parser_message(error: Any) -> str:
    """What is wrong with the words of a call, and where help is; the help itself where nothing was asked for."""
    where = error.ctx.command_path if error.ctx else "ilp-bench"
    message = str(error.format_message())
    if "\n" in message:
        return message
    end = "" if message.endswith((".", "?")) else "."
    return f"error: {message}{end} See '{where} --help'"


def _stop(code: int, message: str) -> None:
    typer.echo(message, err=True)
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ilp-bench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Measure incomplete learning after supervised fine-tuning."""


@app.command(rich_help_panel=START, epilog=example("ilp-bench quickstart --out ilp-bench-quickstart"))
def quickstart(
    out: Annotated[Path, typer.Option("--out", help="Working folder.")] = Path("ilp-bench-quickstart"),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the whole story on the built-in model nano, from data to leaderboard.

    Builds mini, trains twice, evaluates, scores, submits, validates and renders; run again, it goes on.
    """
    from ilp_bench.cli.quickstart import quickstart as run

    run(out, seed, as_json=as_json)


@app.command(rich_help_panel=START, epilog=example("ilp-bench doctor"))
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, which devices there are, and what would not work.

    Exit 1 if a requirement is broken.
    """
    from ilp_bench.cli.doctor import examine, print_report

    report = examine()
    print_report(report, as_json=as_json)
    if report.broken:
        raise ProblemError(f"{len(report.broken)} requirements are broken: {', '.join(report.broken)}")


for module in (data, models, diagnosis, submissions, decisions, references):
    app.add_typer(module.app)
