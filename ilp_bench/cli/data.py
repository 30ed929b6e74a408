"""The commands that make datasets, check them and hand them to others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ilp_bench.cli.columns import parse_columns
from ilp_bench.cli.next_steps import evaluation
from ilp_bench.cli.options import (
    DATA,
    MODEL_FORMS,
    AsJson,
    Data,
    Out,
    Seed,
    example,
)
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.settings import FREQUENCIES, HOPS, SHARES, SIZES, STAGES, Settings
from ilp_bench.data.settings import frequencies as parse_frequencies

app = typer.Typer()
_SHARES = ", ".join(map(str, SHARES))
_PAIRS = ", ".join(f"{count} in {size}" for size, count in SIZES.items())


@app.command(rich_help_panel=DATA, epilog=example("ilp-bench build --size mini --seed 0 --out DATA"))
def build(
    out: Out,
    size: Annotated[str, typer.Option(help="mini, core or full.")] = "core",
    seed: Seed = 0,
    cause: Annotated[list[str] | None, typer.Option(help="Build this cause only; may be repeated.")] = None,
    pairs: Annotated[int | None, typer.Option(help=f"Pairs a cause; by default {_PAIRS}.")] = None,
    share: Annotated[
        list[float] | None, typer.Option(help=f"Share of contradicting rows; may be repeated. Default {_SHARES}.")
    ] = None,
    stages: Annotated[int, typer.Option(help="Stages of training.")] = STAGES,
    frequencies: Annotated[
        str | None, typer.Option(help="Rows of rare patterns, in turn, such as 1,2,4, or zipf:1.0.")
    ] = None,
    hops: Annotated[list[int] | None, typer.Option(help="Steps to a missing answer, 1 or 2; may be repeated.")] = None,
    domain: Annotated[
        str | None, typer.Option(help="geography, medicine, law, finance or technology; subjects are invented.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes for a large set; the bytes are the same.", min=1)] = 1,
) -> None:
    """Build the controlled dataset as Parquet files with a card and a manifest."""
    from ilp_bench.cli.progress import share_progress
    from ilp_bench.data.dataset import make_from, write
    from ilp_bench.data.manifest import read_manifest
    from ilp_bench.data.sharding import LARGE
    from ilp_bench.data.sharding import build as stream

    settings = Settings(
        size,
        seed,
        pairs=pairs,
        causes=tuple(cause or ()),
        shares=tuple(share or SHARES),
        stages=stages,
        frequencies=parse_frequencies(frequencies) if frequencies else FREQUENCIES,
        hops=tuple(hops or HOPS),
        domain=domain,
    )
    if settings.count > LARGE:
        with share_progress("build") as progress:
            stream(settings, out, workers=workers, progress=progress)
    else:
        write(make_from(settings), out)
    manifest = read_manifest(out)
    rows = ", ".join(f"{name} {count}" for name, count in manifest.rows)
    typer.echo(f"{out}: {size}, seed {seed}: {rows}; content sha256 {manifest.content_sha256[:16]}. Next:")
    typer.echo(f"  ilp-bench train --base BASE --recipe RECIPE --data {out} --out YOURS")
    shards = "train.parquet" if (out / "train.parquet").is_file() else "train-*.parquet"
    typer.echo(f"  or train on {out / shards} your own way")


@app.command("import", rich_help_panel=DATA, epilog=example("ilp-bench import rows.jsonl --out DATA"))
def import_rows(
    rows: Annotated[
        str,
        typer.Argument(
            help="Your training rows, in training order: a file (.jsonl, .json, .csv, .parquet, .arrow; .gz too), a "
            "folder, or a Hub dataset as org/name."
        ),
    ],
    out: Out,
    form: Annotated[
        str | None,
        typer.Option("--format", help="prompt-completion, messages, alpaca or sharegpt; by default the columns tell."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Which column is which, as prompt=question,completion=answer; by default by their names."),
    ] = None,
    stages: Annotated[
        int | None,
        typer.Option(help="Number of stages to cut the rows into; by default as a column 'stage' says, or 1."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(help="Number of items to ask about, drawn from each stage; by default all.", min=1),
    ] = None,
    seed: Seed = 0,
    last_turn: Annotated[
        bool, typer.Option("--last-turn", help="Ask the last answer of a conversation alone, not each.")
    ] = False,
    fold_system: Annotated[
        bool,
        typer.Option("--fold-system", help="Put system prompts at the head of the first question, as you trained."),
    ] = False,
    alpaca_join: Annotated[
        str,
        typer.Option(help="Between instruction and input: newline (LLaMA-Factory), blank-line, or stanford."),
    ] = "newline",
    model: Annotated[
        str | None,
        typer.Option(help="Leave out answers that this model cannot be asked: too long, or refused by its template."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
    subset: Annotated[str | None, typer.Option(help="Subset of a folder or Hub dataset.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of a folder or Hub dataset; by default train.")] = None,
) -> None:
    """Make a dataset folder of user data, for 'evaluate' and 'diagnose'."""
    from ilp_bench.cli.import_lines import import_lines
    from ilp_bench.data.dataset import write
    from ilp_bench.data.user_data import import_rows as read_user_data

    if model:
        from ilp_bench.models.askable import askable_by
    options: dict[str, Any] = {
        "format": form,
        "columns": parse_columns(columns),
        "stages": stages,
        "sample": sample,
        "seed": seed,
        "last_turn": last_turn,
        "fold_system": fold_system,
        "alpaca_join": alpaca_join,
        "strict": strict,
        "subset": subset,
        "split": split,
    }
    made = read_user_data(rows, check=askable_by(model) if model else None, **options)
    write(made, out)
    import_lines(made, rows, options, out)


@app.command(rich_help_panel=DATA, epilog=example("ilp-bench export --data DATA --for trl --base nano --out for-trl"))
def export(
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", help="JSON Lines file to write, or with --for a folder; must not exist yet.")
    ],
    form: Annotated[
        str | None, typer.Option("--format", help="messages (default), prompt-completion, alpaca or sharegpt.")
    ] = None,
    trainer: Annotated[
        str | None,
        typer.Option("--for", help="A folder for trl, unsloth, axolotl, llama-factory or ms-swift; needs --base."),
    ] = None,
    base: Annotated[str | None, typer.Option(help=f"With --for, base model: {MODEL_FORMS}.")] = None,
    chat: Annotated[
        bool | None,
        typer.Option(
            "--chat/--no-chat", help="With --for, train under the chat template; trl and unsloth can do both."
        ),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(help="With --for, passes over each stage; by default the reference's, else 3.", min=0),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="With --for; by default the reference's, else by model size.", min=0),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="With --for, examples a step.", min=1)] = 16,
) -> None:
    """Write the training rows in a format that trainers read, or a folder for one.

    With --for, 'bash run.sh' in the folder trains stage after stage; then evaluate as this command prints.
    """
    from ilp_bench.data.dataset import load
    from ilp_bench.data.formats import export as write

    if trainer is None:
        if base or epochs or rate or chat is not None:
            raise UsageError("--base, --chat, --epochs and --learning-rate are of --for: name a trainer")
        typer.echo(f"{out}: {write(load(data), form or 'messages', out)} rows in training order. Next:")
        chats = form not in ("prompt-completion", "alpaca")
        typer.echo(f"  train on it, then {evaluation('YOURS', data, 'yours', chat=chats)}")
        return
    if form or base is None:
        raise UsageError("--for chooses the format itself: leave --format out" if form else "--for needs --base")
    from ilp_bench.training.trainer_export import export_for

    done = export_for(
        trainer, load(data), out, base, chat=chat, epochs=epochs, learning_rate=rate, batch_size=batch_size
    )
    passes = ", ".join(f"{count:g}" for count in done.epochs)
    source = f"as reference {done.reference} spent" if done.reference and epochs is None else "no reference says more"
    typer.echo(f"{out}: {done.rows} rows in {len(done.epochs)} stages of {passes} epochs ({source})")
    typer.echo(f"learning rate {done.rate}. Next:")
    typer.echo(f"  bash {out / 'run.sh'}")
    for model, run in ((base, "base"), (str(out / done.model), trainer)):
        typer.echo(f"  {evaluation(model, data, run, chat=done.chat)}")


@app.command(rich_help_panel=DATA, epilog=example("ilp-bench audit --data DATA --out audit.md"))
def audit(
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", help="Markdown file to write; by default it is printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test a dataset for confounds and leaks; exit 1 if anything but the causes separates the arms."""

    from ilp_bench.core.files import write_text
    from ilp_bench.data.audit import audit as run
    from ilp_bench.data.dataset import load

    report = run(load(data))
    text = json.dumps(report.to_json(), indent=1) if as_json else report.to_markdown()
    if out:
        write_text(out, text)
        typer.echo(f"{out}: {report.summary}")
    else:
        typer.echo(text)
    if report.problems:
        raise ProblemError("; ".join(report.problems))


@app.command(rich_help_panel=DATA, epilog=example("ilp-bench push your-lab/ilp-bench --data DATA --dry-run REPOSITORY"))
def push(
    repository: Annotated[str, typer.Argument(help="Hub dataset, as org/name.")],
    data: Annotated[list[Path], typer.Option("--data", help="Dataset folder; may be repeated, once a size.")],
    private: Annotated[bool, typer.Option("--private", help="Make a private repository.")] = False,
    dry_run: Annotated[
        Path | None, typer.Option("--dry-run", help="Write what would be uploaded to this folder, and stop.")
    ] = None,
) -> None:
    """Publish dataset folders on the Hub, with a config per size and cause, a card and Croissant metadata."""
    from ilp_bench.data.hub import push as upload

    typer.echo(upload(repository, data, private=private, dry_run=dry_run))
