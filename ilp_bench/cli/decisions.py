"""The commands of those who keep the leaderboard: run an entry again, decide about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ilp_bench.cli.console import counted
from ilp_bench.cli.options import (
    LEADERBOARD,
    By,
    Device,
    Entry,
    example,
    login_name,
    require_entry,
)
from ilp_bench.cli.submissions import table
from ilp_bench.core.errors import ProblemError, UsageError, near

app = typer.Typer()


@app.command(
    rich_help_panel=LEADERBOARD,
    epilog=example("ilp-bench verify submissions/your-lab__your-model/ID --model checkpoints/mine"),
)
def verify(
    submission: Entry,
    model: Annotated[list[str], typer.Option("--model", help="Checkpoint of one replicate; may be repeated.")],
    seed: Annotated[
        int | None, typer.Option(help="Seed of the unseen dataset; by default a random one.", min=0)
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(help="Pairs a cause of the unseen dataset; by default the size's.")
    ] = None,
    by: By = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Where checkpoints and runs go, and are taken up again.")
    ] = None,
    device: Device = "auto",
    key: Annotated[Path | None, typer.Option("--key", help="Ed25519 private key (PEM) that signs the record.")] = None,
) -> None:
    """Run a submission's checkpoint again, on public data and on an unseen seed.

    What is measured is added to verification.json.
    """
    from ilp_bench.submission.format import read_submission
    from ilp_bench.submission.rerun import verify as run
    from ilp_bench.submission.rerun_work import Work, default_folder
    from ilp_bench.submission.signatures import public_key, read_private_key
    from ilp_bench.submission.validate import check

    require_entry(submission)
    if problems := check(submission).problems:
        raise ProblemError(
            f"{counted(len(problems), 'problem')}, such as {problems[0]}: see 'ilp-bench validate {submission}'"
        )
    private = read_private_key(key) if key else None
    folder = work or default_folder(read_submission(submission).run_id)
    where = Work(folder, device, lambda text: typer.echo(text, err=True))
    record = run(submission, model, where, by=by or login_name(), seed=seed, pairs=pairs, key=private)
    for name, part in (("public data", record.public), ("unseen data", record.unseen)):
        how = f" ({record.unseen.how}, seed {record.unseen.seed})" if part is record.unseen else ""
        largest = "" if part.largest_difference is None else f"; differs by {part.largest_difference:.3g}"
        allowed = "" if part.tolerance is None else f", {part.tolerance:.3g} allowed"
        typer.echo(f"{name}: {part.status}{how}{largest}{allowed}{'; ' + part.reason if part.reason else ''}")
    for role, runs in record.public.runs.items():
        typer.echo(f"{role} runs measured again: {runs.again} of {runs.of}")
    typer.echo("a re-run cannot find how weights came about, nor weights trained on the probes of public seeds")
    signed = f"signed; public key {public_key(private)}" if private else "not signed, so that no board counts it"
    typer.echo(f"{submission / 'verification.json'}: written, {signed}; commit it beside the submission")
    if "differs" in (record.public.status, record.unseen.status):
        raise ProblemError("the re-run differs from what was submitted")


@app.command(
    rich_help_panel=LEADERBOARD,
    epilog=example("ilp-bench decide submissions/your-lab__your-model/ID accepted --reason 'It holds.'"),
)
def decide(
    entry: Entry,
    decision: Annotated[str, typer.Argument(help="accepted, withdrawn or flagged.")],
    reason: Annotated[str, typer.Option(help="Why; it is shown beside the entry.")],
    by: By = None,
) -> None:
    """Append a decision about an entry to decisions.jsonl; nothing is ever removed."""
    import datetime

    from pydantic import ValidationError

    from ilp_bench.records.run_record import first_problem
    from ilp_bench.submission.decisions import DECISIONS, Decision
    from ilp_bench.submission.decisions import decide as append
    from ilp_bench.submission.format import read_submission
    from ilp_bench.submission.summary_table import ARCHIVE_FILE, TABLE_FILE

    if decision not in DECISIONS:
        raise UsageError(f"unknown decision {decision!r}.{near(decision, DECISIONS)}")
    require_entry(entry)
    submission = read_submission(entry)
    root = entry.resolve().parent.parent
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    about = {
        "run_id": submission.run_id,
        "entry": submission.folder,
        "decision": decision,
        "reason": reason,
        "date": today,
    }
    try:
        line = Decision.model_validate(about | {"by": by or login_name()})
    except ValidationError as error:
        raise UsageError(first_problem(error)) from error
    file = append(root, line)
    typer.echo(f"{file}: {submission.folder} {decision}: {reason}")
    if (root / TABLE_FILE).is_file() or (root / ARCHIVE_FILE).is_file():
        try:
            table(root)
        except ProblemError as error:
            raise ProblemError(f"the decision is written, and the tables stay as they are: {error}") from error
