"""What the commands share: the groups of ``--help``, the form of an example, and the options that recur."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ilp_bench.core.errors import UsageError
from ilp_bench.core.folder_kind import what_it_is

START, DATA, MODELS, DIAGNOSIS, LEADERBOARD = "Getting started", "Data", "Models", "Diagnosis", "Leaderboard"
MODEL_FORMS = "nano, nano-qwen3, nano-olmo2, a folder, a PEFT adapter or a Hub id[@revision]"

Data = Annotated[Path, typer.Option("--data", help="Dataset folder made by 'ilp-bench build' or 'import'.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write; must not hold anything yet.")]
OutFile = Annotated[Path | None, typer.Option("--out", help="File to write; by default it is printed.")]
Seed = Annotated[int, typer.Option("--seed", help="Random seed.", min=0)]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, mps or auto.")]
RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Runs = Annotated[list[Path], typer.Argument(help="Run folders by 'ilp-bench evaluate', one for each replicate.")]
Vanilla = Annotated[
    list[Path] | None,
    typer.Option("--vanilla", help="Vanilla run on the same base model and dataset; by default the reference's."),
]
BaseRun = Annotated[
    list[Path] | None,
    typer.Option("--base-run", help="Run of the base model, one for each dataset; by default the reference's."),
]
REFERENCE_HELP = "Name or folder of a reference; by default that of the base model, data and budget. none for none."
Reference = Annotated[str | None, typer.Option("--reference", help=REFERENCE_HELP)]
Entry = Annotated[Path, typer.Argument(help="Folder of one submission.")]
Submissions = Annotated[Path, typer.Argument(help="Folder of submissions.")]
By = Annotated[str | None, typer.Option("--by", help="Your name; by default the one you are logged in with.")]


class GroupedCommands(TyperGroup):
    """The command line whose ``--help`` lists commands under the name of their group, in the order of registration."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section for each group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            groups.setdefault(command.rich_help_panel, []).append((name, command.get_short_help_str(limit=100)))
        for title, commands in groups.items():
            with formatter.section(title):
                formatter.write_dl(commands)


def require_entry(folder: Path) -> None:
    """Raise UsageError for a path that is not the folder of one entry."""
    if not (folder / "submission.json").is_file():
        raise UsageError(
            f"{folder} is not a submission: {what_it_is(folder)}; give the folder of one entry, such as "
            "submissions/your-lab__your-model/ID"
        )


def login_name() -> str:
    """The name of who is logged in. Raises UsageError where the machine has none, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError) as error:
        raise UsageError("this machine has no name for you: say who you are with --by NAME") from error


def example(call: str) -> str:
    """The end of a command's help. Every example is run by a test."""
    return f"\b\nExample:\n  {call}"


def old_names(**new_names: str) -> dict[str, Any]:
    """Settings of a command whose options had other names before, which still work but are not shown."""
    return {"token_normalize_func": lambda name: new_names.get(name.replace("-", "_"), name)}
