"""The commands that say what a model learned, and why not the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ilp_bench.cli.options import (
    DIAGNOSIS,
    AsJson,
    BaseRun,
    Device,
    Reference,
    RemoteCode,
    Runs,
    Seed,
    Vanilla,
    example,
)
from ilp_bench.core.errors import ProblemError, UsageError

if TYPE_CHECKING:
    from ilp_bench.scoring.points_schema import PointScores

app = typer.Typer()


@app.command(
    rich_help_panel=DIAGNOSIS, epilog=example("ilp-bench score runs/mine --vanilla runs/vanilla --base-run runs/base")
)
def score(
    runs: Runs,
    vanilla: Vanilla = None,
    base_run: BaseRun = None,
    reference: Reference = None,
    as_json: AsJson = False,
) -> None:
    """Print what a run gains over vanilla, in points, and which share of the gap that closes."""
    from ilp_bench.api.results import score as score_runs
    from ilp_bench.cli.next_steps import next_after_score
    from ilp_bench.cli.points_table import points_table
    from ilp_bench.cli.score_table import score_table
    from ilp_bench.scoring.points_schema import PointScores

    scores = score_runs(runs, vanilla or None, base_run or None, reference)
    if isinstance(scores, PointScores):
        points_table(scores, as_json=as_json)
        if not as_json:
            _note_settings(runs, vanilla or [], reference, scores)
            next_after_score(runs, vanilla or [], base_run or [])
    else:
        score_table(scores, as_json=as_json)


def _note_settings(runs: list[Path], vanillas: list[Path], reference: str | None, scores: PointScores) -> None:
    """Print where the runs were trained with another learning rate, batch size or adapter than vanilla."""
    from ilp_bench.cli.console import console
    from ilp_bench.records.run_record import read_run
    from ilp_bench.scoring.references import named_reference
    from ilp_bench.scoring.training_settings import other_settings

    compared = [read_run(path).record for path in vanillas]
    if not compared and scores.reference:
        datasets = named_reference(reference or scores.reference.name).record.datasets
        compared = [run for dataset in datasets for run in dataset.vanilla]
    if settings := other_settings([read_run(path).record for path in runs], compared):
        console.print(
            f"note: trained with {settings}. Within one budget a higher rate or smaller batches alone raise G: a "
            "vanilla with the same settings shows how much, and divisions 1x and 3x want vanilla's"
        )


@app.command(
    rich_help_panel=DIAGNOSIS,
    epilog=example("ilp-bench diagnose --model checkpoints/vanilla --base nano --rows train.jsonl --out report"),
)
def diagnose(
    run: Annotated[
        Path | None, typer.Argument(help="Run of a tuned model by 'ilp-bench evaluate', instead of --model and --rows.")
    ] = None,
    base_run: Annotated[Path | None, typer.Option("--base-run", help="With a run: that of its base model.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="With a run: the dataset it was trained on.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The tuned model: a folder, adapter or Hub id.")] = None,
    base: Annotated[str | None, typer.Option("--base", help="The model that it was tuned from.")] = None,
    rows: Annotated[
        str | None, typer.Option("--rows", help="Your training rows, in training order: a file, folder or Hub id.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report; run again, it goes on.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=0, help="Rows to ask about; 0 for all. By default all on a GPU, some on a CPU.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens to which your trainer cut rows; by default what its files say.")
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option(help="CSV or JSON Lines with row, passes, tries: your judgement in place of p.")
    ] = None,
    held_out: Annotated[str | None, typer.Option(help="Rows of your evaluation, which should not be trained.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="sentence-transformers model that finds paraphrases; by default words alone.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier report of these rows, to compare with.")] = None,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit 1 where a smaller share of the rows is learned.")
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="As for 'import'; by default the columns tell.")] = None,
    columns: Annotated[str | None, typer.Option(help="As for 'import', such as prompt=question.")] = None,
    stages: Annotated[int | None, typer.Option(help="As for 'import'; by default 4 parts, to see forgetting.")] = None,
    last_turn: Annotated[
        bool, typer.Option("--last-turn", help="Ask the last answer of a conversation alone.")
    ] = False,
    fold_system: Annotated[bool, typer.Option("--fold-system", help="As for 'import'.")] = False,
    alpaca_join: Annotated[str, typer.Option(help="As for 'import'.")] = "newline",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
    subset: Annotated[str | None, typer.Option(help="Subset of a folder or Hub dataset.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of a folder or Hub dataset; by default train.")] = None,
    adapter_base: Annotated[
        str | None, typer.Option(help="Base of an adapter, where its own path is of another machine.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Sequences a batch; halved where they do not fit.", min=1)
    ] = None,
    trust_remote_code: RemoteCode = False,
    quality: Annotated[
        bool, typer.Option("--quality", help="With a run on a controlled dataset: which causes are mistaken for which.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Say what a model did not learn of your rows, and why; run again, it goes on.

    With --model, --base, --rows and --out it writes a report. With a run, --base-run and --data it reads what
    'evaluate' measured, and of a controlled dataset says how often the attribution is right.
    """
    if run is not None:
        if model or rows:
            raise UsageError("give a run, or --model and --rows, not both")
        if base_run is None or data is None:
            missing = "--base-run" if base_run is None else "--data"
            raise UsageError(f"{missing} is missing: with a run, give --base-run and --data")
        _diagnose_run(run, base_run, data, encoder, as_json=as_json, quality=quality)
        return
    if not (model and base and rows and out):
        values = {"--model": model, "--base": base, "--rows": rows, "--out": out}
        names = [name for name, value in values.items() if not value]
        missing = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
        raise UsageError(f"{missing}: give --model, --base, --rows and --out, or a run with --base-run and --data")
    from ilp_bench.cli.columns import parse_columns
    from ilp_bench.cli.progress import named_progress
    from ilp_bench.cli.report_table import print_report
    from ilp_bench.diagnosis.asking.verdicts import read_verdicts
    from ilp_bench.diagnosis.from_rows import diagnose_rows
    from ilp_bench.diagnosis.question import Machine, Question
    from ilp_bench.diagnosis.report.words import headline

    reading = {
        "format": form,
        "columns": parse_columns(columns),
        "stages": stages,
        "last_turn": last_turn,
        "fold_system": fold_system,
        "alpaca_join": alpaca_join,
        "strict": strict,
        "subset": subset,
        "split": split,
    }
    question = Question(model, base, rows, reading, adapter_base, sample, seed, max_length, held_out, encoder)
    with named_progress(show=not as_json) as progress:
        diagnosed = diagnose_rows(
            question,
            out,
            machine=Machine(device, dtype, batch_size, trust_remote_code),
            verdicts=read_verdicts(verdicts) if verdicts else None,
            baseline=baseline,
            progress=progress,
        )
    print_report(diagnosed, out, as_json=as_json)
    if fail_under is not None and diagnosed.report.learned.value < fail_under:
        raise ProblemError(f"{headline(diagnosed.report)}; that is under --fail-under {fail_under:g}")


def _diagnose_run(run: Path, base_run: Path, data: Path, encoder: str | None, *, as_json: bool, quality: bool) -> None:
    """Attribute the items of a run by its record alone."""
    from ilp_bench.cli.diagnosis_table import diagnosis_table
    from ilp_bench.cli.next_steps import next_after_diagnosis
    from ilp_bench.cli.run_table import end_mark_note
    from ilp_bench.data.dataset import load
    from ilp_bench.detectors.similarity import sentence_encoder
    from ilp_bench.diagnosis.why.attribution import diagnose as attribute
    from ilp_bench.records.run_record import read_run
    from ilp_bench.scoring.run_summary import summary

    measured = read_run(run)
    base = read_run(base_run, "base run")
    encode = sentence_encoder(encoder) if encoder else None
    diagnosis_table(attribute(measured, base, load(data), encode), as_json=as_json, quality=quality)
    if not as_json:
        next_after_diagnosis(measured, base, data)
    if measured.record.data.is_user_data and not as_json:
        end_mark_note(summary(measured))
