"""The command line. Heavy libraries are imported by the command that needs them, never by ``--help``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ilp_bench import __version__
from ilp_bench.cli.submissions import app as submissions
from ilp_bench.core.distributed import launched_processes
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.settings import FREQUENCIES, HOPS, SHARES, STAGES, Settings
from ilp_bench.data.settings import frequencies as parse_frequencies

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="How much of what you fine-tuned on did your model learn, and why not the rest?",
)
Data = Annotated[Path, typer.Option("--data", help="Dataset folder made by 'ilp-bench build' or 'import'.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write; must not hold anything yet.")]
Seed = Annotated[int, typer.Option(help="Random seed.", min=0)]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")]
RemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> None:
    """Entry point: exit code 2 for a call that cannot be carried out, 1 for a problem found, each in one line."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app()
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except ProblemError as error:
        typer.echo(f"problem: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        typer.echo(
            f"problem: {error.strerror or error}: {error.filename or 'check disk space and permissions'}", err=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)


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


@app.command()
def quickstart(
    out: Annotated[Path, typer.Option("--out", help="Working folder.")] = Path("ilp-bench-quickstart"),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """The whole story on the embedded model: build, train twice, evaluate, score, submit, validate, render."""
    from ilp_bench.cli.quickstart import quickstart as run

    run(out, seed, as_json=as_json)


@app.command()
def build(
    out: Out,
    size: Annotated[str, typer.Option(help="mini, core or full.")] = "core",
    seed: Seed = 0,
    cause: Annotated[list[str] | None, typer.Option(help="One of the causes; may be repeated.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Pairs a cause, instead of the size's.")] = None,
    share: Annotated[
        list[float] | None, typer.Option(help="Share of contradicting rows; may be repeated. Default 0.25, 0.5, 0.75.")
    ] = None,
    stages: Annotated[int, typer.Option(help="Stages of training.")] = STAGES,
    frequencies: Annotated[
        str | None, typer.Option(help="Rows of rare patterns, in turn, as 1,2,4, or as zipf:1.0.")
    ] = None,
    hops: Annotated[list[int] | None, typer.Option(help="Steps to a missing answer, 1 or 2; may be repeated.")] = None,
    domain: Annotated[
        str | None, typer.Option(help="geography, medicine, law, finance or technology; subjects are invented.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes for a large set; the bytes are the same.", min=1)] = 1,
) -> None:
    """Build the controlled dataset: train, items, knowledge and shots as Parquet, with card and manifest."""
    from ilp_bench.cli.console import share_progress
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
    typer.echo(f"{out}: {size}, seed {seed}: {rows}; content sha256 {manifest.content_sha256[:16]}")


@app.command()
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


@app.command()
def audit(
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", help="Markdown file to write; else it is printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test a dataset for confounds and leaks; exit 1 if anything but the causes separates the arms."""
    import json

    from ilp_bench.core.files import write_text
    from ilp_bench.data.audit import audit as run
    from ilp_bench.data.dataset import load

    found = run(load(data))
    text = json.dumps(found.to_json(), indent=1) if as_json else found.to_markdown()
    if out:
        write_text(out, text)
        typer.echo(f"{out}: {found.summary}")
    else:
        typer.echo(text)
    if found.problems:
        raise ProblemError("; ".join(found.problems))


@app.command()
def export(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="JSON Lines file to write; must not exist yet.")],
    form: Annotated[
        str, typer.Option("--format", help="messages, prompt-completion, alpaca or sharegpt.")
    ] = "messages",
) -> None:
    """Write the training rows in a format that fine-tuning tools read."""
    from ilp_bench.data.dataset import load
    from ilp_bench.data.formats import export as write

    typer.echo(f"{out}: {write(load(data), form, out)} rows in training order")


@app.command("import")
def import_rows(
    rows: Annotated[Path, typer.Argument(help="Your training rows, in training order: .jsonl or .parquet.")],
    out: Out,
    form: Annotated[
        str | None,
        typer.Option("--format", help="prompt-completion, messages, alpaca or sharegpt; by default told by columns."),
    ] = None,
    stages: Annotated[
        int | None, typer.Option(help="Cut the rows into so many parts; else a column 'stage' says, or they are one.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Ask about so many items only, drawn at random from each stage.", min=1)
    ] = None,
    seed: Seed = 0,
) -> None:
    """Make a dataset folder of your own rows, for 'evaluate' and 'diagnose'."""
    from ilp_bench.data.dataset import write
    from ilp_bench.data.user_data import import_rows as read_user_data

    made = read_user_data(rows, format=form, stages=stages, sample=sample, seed=seed)
    write(made, out)
    told = made.manifest
    chat = "conversations: evaluate with --chat" if told.chat else "bare prompts"
    counts = f"{told.rows.train} rows, {told.rows.items} items, {told.stages} stages"
    typer.echo(f"{out}: {counts}; read as {told.format} ({chat}); content sha256 {made.sha256[:16]}")


@app.command()
def train(
    base: Annotated[str, typer.Option(help="nano, a folder, a PEFT adapter or a Hub id[@revision].")],
    recipe: Annotated[str, typer.Option(help="One of the recipes; docs/recipes.md says what each does.")],
    data: Data,
    out: Out,
    seed: Seed = 0,
    rate: Annotated[float | None, typer.Option(help="Learning rate; by default chosen by model size.", min=0)] = None,
    batch_size: Annotated[int, typer.Option(help="Examples per step.", min=1)] = 16,
    lora: Annotated[int, typer.Option(help="Rank of a LoRA adapter; 0 trains all weights.", min=0)] = 0,
    general: Annotated[
        str | None,
        typer.Option(help="Text for continued pre-training: .txt, .jsonl, .parquet, Hub dataset; else known facts."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="sentence-transformers model that finds similar questions; else TF-IDF.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="Also log every epoch to this trackio project.")] = None,
    device: Device = "auto",
    trust_remote_code: RemoteCode = False,
) -> None:
    """Fine-tune a base model with one of the recipes; run again, it goes on where it stopped."""
    from ilp_bench.cli.console import training_progress
    from ilp_bench.data.dataset import load
    from ilp_bench.recipes import RECIPES

    RECIPES.get(recipe)
    dataset = load(data)
    from ilp_bench.training.run import train as run

    is_main = launched_processes().is_main
    with training_progress(f"train {recipe}", show=is_main) as progress:
        training = run(
            base,
            recipe,
            dataset,
            out,
            seed=seed,
            rate=rate,
            batch_size=batch_size,
            lora=lora,
            general=general,
            encoder=encoder,
            track=track,
            device=device,
            remote_code=trust_remote_code,
            progress=progress,
        )
    phases = "; ".join(f"{phase.name}: {phase.epochs} epochs" for phase in training.phases or ())
    if is_main:
        typer.echo(f"{out}: {phases}; {training.total_tokens} tokens in {training.seconds or 0:.0f} s")


@app.command()
def evaluate(
    model: Annotated[str, typer.Option(help="nano, a folder, a PEFT adapter or a Hub id[@revision].")],
    data: Data,
    out: Out,
    backend: Annotated[str, typer.Option(help="hf or vllm.")] = "hf",
    chat: Annotated[bool, typer.Option("--chat", help="Ask through the model's chat template.")] = False,
    probe_base: Annotated[
        bool | None,
        typer.Option("--probe-base/--no-probe-base", help="Also read what the model knows, with four examples shown."),
    ] = None,
    choices: Annotated[int, typer.Option(help="Also score 4 or 10 options of recall probes; 0 for none.")] = 0,
    protocol: Annotated[str, typer.Option(help="exact (one scoring pass) or sampled (draw answers).")] = "exact",
    draws: Annotated[int, typer.Option(help="Answers drawn for each probe, with --protocol sampled.")] = 100,
    seed: Seed = 0,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
    device: Device = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Sequences per batch; halved where memory does not suffice.", min=1)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Processor threads; by default as many as are idle.", min=1)
    ] = None,
    engine: Annotated[
        list[str] | None, typer.Option(help="vLLM engine argument as name=value; may be repeated.")
    ] = None,
    trust_remote_code: RemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model on every probe and write a run record; run again, it goes on where it stopped."""
    from ilp_bench.cli.console import counting_progress, run_table
    from ilp_bench.data.dataset import load

    dataset = load(data)
    options = _engine(engine or [])
    from ilp_bench.evaluation.run import evaluate as run

    with counting_progress("evaluate", show=not as_json and launched_processes().is_main) as progress:
        done = run(
            model,
            dataset,
            out,
            backend=backend,
            protocol=protocol,
            draws=draws,
            seed=seed,
            choices=choices,
            probe_base=probe_base,
            chat=chat,
            dtype=dtype,
            device=device,
            batch_size=batch_size,
            threads=threads,
            remote_code=trust_remote_code,
            engine=options,
            progress=progress,
        )
    if done:
        run_table(done, as_json=as_json)


def _engine(arguments: list[str]) -> dict[str, Any]:
    """``name=value`` pairs, values read as JSON where they are."""
    import json

    found: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--engine {argument!r} is not of the form name=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


@app.command()
def render(
    submissions: Annotated[Path, typer.Option("--submissions", help="Folder of submissions.")],
    out: Annotated[Path, typer.Option("--out", help="Where the site goes; an older site there is replaced.")],
    url: Annotated[str, typer.Option(help="Where the site will stand, for its feed and link previews.")] = "",
) -> None:
    """Render the static leaderboard; what has not changed since the site in --out is not done again."""
    from ilp_bench.leaderboard.site import render as write

    count = write(submissions, out, url=url)
    typer.echo(f"{out / 'index.html'}: {count} submissions")


app.add_typer(submissions)
