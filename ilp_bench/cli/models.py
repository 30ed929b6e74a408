"""The commands that run a model: train it, measure it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ilp_bench.cli.options import (
    MODEL_FORMS,
    MODELS,
    AsJson,
    Data,
    Device,
    Out,
    RemoteCode,
    Seed,
    example,
    old_names,
)
from ilp_bench.core.distributed import launched_processes
from ilp_bench.core.errors import UsageError, near

app = typer.Typer()


@app.command(
    rich_help_panel=MODELS,
    epilog=example("ilp-bench train --base nano --recipe vanilla --data DATA --out checkpoints/vanilla"),
    context_settings=old_names(rate="learning-rate", general="replay-corpus"),
)
def train(
    base: Annotated[str, typer.Option("--base", help=f"Base model: {MODEL_FORMS}.")],
    recipe: Annotated[
        str, typer.Option(help="A recipe, such as vanilla, resampling or auto; docs/recipes.md lists all.")
    ],
    data: Data,
    out: Out,
    seed: Seed = 0,
    rate: Annotated[
        float | None, typer.Option("--learning-rate", help="By default by the model's size.", min=0)
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Examples a step.", min=1)] = 16,
    lora: Annotated[int, typer.Option(help="Rank of a LoRA adapter; 0 trains all weights.", min=0)] = 0,
    division: Annotated[
        str, typer.Option(help="1x, 2x or 3x: so many times the supervised tokens that vanilla needed.")
    ] = "1x",
    budget_from: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint or run of vanilla at 1x, on the same base model and data, or a reference, whose budget is "
            "spent; by default the committed reference. Vanilla at 1x without it finds it."
        ),
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Train under the model's chat template; evaluate with --chat too.")
    ] = False,
    general: Annotated[
        str | None,
        typer.Option(
            "--replay-corpus",
            help="Texts for continued pre-training: .txt, .jsonl, .parquet or a Hub dataset; by default known facts.",
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="sentence-transformers model that finds similar questions; by default TF-IDF.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="Also log every check to this trackio project.")] = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 (autocast over float32 weights) or auto.")] = "auto",
    device: Device = "auto",
    trust_remote_code: RemoteCode = False,
) -> None:
    """Fine-tune a base model with a recipe; run again, it goes on where it stopped."""
    from ilp_bench.cli.next_steps import evaluation
    from ilp_bench.cli.progress import training_progress
    from ilp_bench.cli.training_table import training_table
    from ilp_bench.data.dataset import load
    from ilp_bench.recipes import RECIPES
    from ilp_bench.records.training_record import DIVISIONS

    RECIPES.get(recipe)
    if division not in DIVISIONS:
        raise UsageError(f"unknown division {division!r}.{near(division, DIVISIONS)}")
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
            budget=DIVISIONS[division],
            reference=budget_from,
            chat=chat,
            general=general,
            encoder=encoder,
            track=track,
            dtype=dtype,
            device=device,
            remote_code=trust_remote_code,
            progress=progress,
        )
    if is_main:
        training_table(training)
        typer.echo(f"{out}: {training.total_tokens:,} tokens in {training.seconds or 0:.0f} s. Next:")
        typer.echo(f"  {evaluation(str(out), data, out.name, chat=chat)}")


@app.command(
    rich_help_panel=MODELS,
    epilog=example("ilp-bench evaluate --model checkpoints/vanilla --data DATA --out runs/vanilla"),
)
def evaluate(
    model: Annotated[str, typer.Option("--model", help=f"Model: {MODEL_FORMS}.")],
    data: Data,
    out: Out,
    base: Annotated[
        str | None, typer.Option(help="Base model of an adapter, where its own path is of another machine.")
    ] = None,
    backend: Annotated[str, typer.Option(help="hf or vllm.")] = "hf",
    chat: Annotated[bool, typer.Option("--chat", help="Prompt through the model's chat template.")] = False,
    probe_base: Annotated[
        bool | None,
        typer.Option(
            "--probe-base/--no-probe-base",
            help="Also probe base knowledge, with four few-shot exemplars; by default for a base model.",
        ),
    ] = None,
    choices: Annotated[int, typer.Option(help="Options to score of recall and retention probes: 0, 4 or 10.")] = 0,
    protocol: Annotated[str, typer.Option(help="exact (one scoring pass) or sampled (answers are drawn).")] = "exact",
    draws: Annotated[int, typer.Option(help="Answers drawn for each probe, with --protocol sampled.")] = 100,
    seed: Seed = 0,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
    device: Device = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Sequences a batch; halved where memory does not suffice.", min=1)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads; by default as many as there are idle cores.", min=1)
    ] = None,
    engine: Annotated[
        list[str] | None, typer.Option(help="vLLM engine argument as name=value; may be repeated.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at an item of user data that the model cannot be asked.")
    ] = False,
    trust_remote_code: RemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model on every probe and write a run record; run again, it goes on where it stopped."""
    from ilp_bench.cli.next_steps import next_after_run
    from ilp_bench.cli.progress import counting_progress
    from ilp_bench.cli.run_table import run_table
    from ilp_bench.data.dataset import load

    dataset = load(data)
    options = _engine(engine or [])
    from ilp_bench.evaluation.run import evaluate as run

    with counting_progress("evaluate", show=not as_json and launched_processes().is_main) as progress:
        done = run(
            model,
            dataset,
            out,
            base=base,
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
            strict=strict,
            engine=options,
            progress=progress,
        )
    if done:
        run_table(done, as_json=as_json)
        if not as_json:
            next_after_run(done, model, data, out)


def _engine(arguments: list[str]) -> dict[str, Any]:
    """``name=value`` pairs, values read as JSON where they are."""

    options: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--engine {argument!r} is not of the form name=value")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options
