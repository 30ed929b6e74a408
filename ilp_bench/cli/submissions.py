"""The commands from run records to an entry of the leaderboard. Heavy libraries are imported by what needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ilp_bench.core.errors import ProblemError, UsageError, near

app = typer.Typer()
Runs = Annotated[list[Path], typer.Argument(help="Run folders by 'ilp-bench evaluate', one for each replicate.")]
Vanilla = Annotated[
    list[Path], typer.Option("--vanilla", help="Run of the vanilla checkpoint on the same base; one for each RUN.")
]
BaseRun = Annotated[
    list[Path] | None,
    typer.Option("--base-run", help="Run of the base model, one for each dataset; limits scores to active pairs."),
]
Entry = Annotated[Path, typer.Argument(help="Folder of one submission.")]


def _replicates(runs: list[Path], vanillas: list[Path], bases: list[Path] | None) -> list[Any]:
    from ilp_bench.records.run_record import read_run
    from ilp_bench.submission.format import matched

    return matched(
        [read_run(run) for run in runs],
        [read_run(run, "vanilla run") for run in vanillas],
        [read_run(run, "base run") for run in bases or []],
    )


@app.command()
def score(
    runs: Runs,
    vanilla: Vanilla,
    base_run: BaseRun = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Recovery per cause, with intervals, of a run against vanilla; of several replicates, pooled."""
    from ilp_bench.cli.console import score_table
    from ilp_bench.scoring.recovery import score_replicates

    score_table(score_replicates(_replicates(runs, vanilla, base_run)), as_json=as_json)


@app.command()
def diagnose(
    run: Annotated[Path, typer.Argument(help="Run of a fine-tuned model by 'ilp-bench evaluate'.")],
    base_run: Annotated[Path, typer.Option("--base-run", help="Run of its base model, best with --choices 4.")],
    data: Annotated[Path, typer.Option("--data", help="Dataset folder that it was trained on.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, with every item.")] = False,
) -> None:
    """Say of every unlearned item why it was not learned; where causes were injected, score that against them."""
    from ilp_bench.cli.console import diagnosis_table
    from ilp_bench.data.dataset import load
    from ilp_bench.diagnosis.attribution import diagnose as attribute
    from ilp_bench.records.run_record import read_run

    diagnosis_table(attribute(read_run(run), read_run(base_run, "base run"), load(data)), as_json=as_json)


@app.command()
def submit(
    runs: Runs,
    vanilla: Vanilla,
    meta: Annotated[
        Path | None,
        typer.Option("--meta", help="JSON file with org, model, division …; asked for in a terminal where left out."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of submissions.")] = Path("submissions"),
    base_run: BaseRun = None,
) -> None:
    """Build a submission from run records, check it, show it, and say what comes next."""
    from ilp_bench.cli.console import submission_table
    from ilp_bench.cli.prompts import ask_meta
    from ilp_bench.submission.format import read_meta
    from ilp_bench.submission.format import submit as write
    from ilp_bench.submission.validate import check

    if meta is None and not sys.stdin.isatty():
        raise UsageError("give --meta FILE; without a terminal nobody can be asked who submits what")
    who = read_meta(meta) if meta else None
    replicates = _replicates(runs, vanilla, base_run)
    who = who or ask_meta()
    place = write(replicates, who, out)
    found = check(place)
    if found.problems or not found.submission:
        raise ProblemError("; ".join(found.problems))
    submission_table(found.submission)
    added = [str(place)]
    if (out / "table.csv").is_file():
        added.append(str(out / "table.csv"))
        try:
            table(out)
        except ProblemError as error:
            typer.echo(f"{out / 'table.csv'} stays as it is: {error}", err=True)
    branch = f"{who.org}-{who.model}"
    typer.echo(f"{place}: valid; everything above, and the samples, will be public. Next:")
    typer.echo(f"  git switch -c {branch}")
    typer.echo(f"  git add {' '.join(added)}")
    typer.echo(f"  git commit -m 'Submit {who.org} {who.model}'")
    typer.echo(f"  git push -u origin {branch}    # then open a pull request")


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Submission folders, or folders that hold them.")],
    since: Annotated[
        Path | None, typer.Option("--since", help="An earlier state of PATH, of which nothing may have vanished.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="Write Markdown here: new entries beside the reference rows.")
    ] = None,
) -> None:
    """Recompute every score from the samples and list all problems; exit 1 if there is any."""
    from ilp_bench.core.files import write_text
    from ilp_bench.submission.check_folder import entry_problems, history_problems, is_root
    from ilp_bench.submission.summary_table import comparison, table_problems
    from ilp_bench.submission.validate import check, find

    checked = [check(folder) for folder in find(paths)]
    problems = [problem for one in checked for problem in one.problems]
    for root in filter(is_root, paths):
        mine = [one for one in checked if root in one.folder.parents]
        problems += entry_problems(root, mine)
        problems += [] if problems else table_problems(root, mine)
        problems += history_problems(since, root) if since else []
    if summary:
        new = [
            one.folder for one in checked if not (since and (since / one.folder.parent.name / one.folder.name).is_dir())
        ]
        write_text(summary, comparison(checked, new))
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise ProblemError(f"{len(problems)} problems in {len(checked)} submissions")
    typer.echo(f"{len(checked)} submissions, no problem")


@app.command()
def verify(
    submission: Entry,
    model: Annotated[list[str], typer.Option("--model", help="Checkpoint of one replicate; may be repeated.")],
    seed: Annotated[
        int | None, typer.Option(help="Seed of the unseen dataset; by default a random one.", min=0)
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(help="Pairs a cause of the unseen dataset, instead of the size's.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who runs this; by default the name you are logged in with.")] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Where checkpoints and runs go, and are taken up again.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
) -> None:
    """Run a submission's checkpoint again, on public data and on an unseen seed; adds to verification.json."""
    import getpass

    from ilp_bench.submission.format import read_submission
    from ilp_bench.submission.rerun import Work
    from ilp_bench.submission.rerun import verify as run
    from ilp_bench.submission.validate import check

    if problems := check(submission).problems:
        raise ProblemError(f"{len(problems)} problems, such as {problems[0]}: see 'ilp-bench validate {submission}'")
    place = work or Path("verify") / read_submission(submission).run_id
    say = Work(place, device, lambda text: typer.echo(text, err=True))
    found = run(submission, model, say, by=by or getpass.getuser(), seed=seed, pairs=pairs)
    for name, part in (("public data", found.public), ("unseen data", found.unseen)):
        how = f" ({found.unseen.how}, seed {found.unseen.seed})" if part is found.unseen else ""
        largest = "" if part.largest_difference is None else f"; differs by {part.largest_difference:.3g}"
        allowed = "" if part.tolerance is None else f", {part.tolerance:.3g} allowed"
        typer.echo(f"{name}: {part.status}{how}{largest}{allowed}{'; ' + part.reason if part.reason else ''}")
    typer.echo(f"{submission / 'verification.json'}: written; commit it beside the submission")
    if "differs" in (found.public.status, found.unseen.status):
        raise ProblemError("the re-run differs from what was submitted")


@app.command()
def decide(
    entry: Entry,
    decision: Annotated[str, typer.Argument(help="accepted, withdrawn or flagged.")],
    reason: Annotated[str, typer.Option(help="Why; it is shown beside the entry.")],
    by: Annotated[str | None, typer.Option(help="Who decides; by default the name you are logged in with.")] = None,
) -> None:
    """Append a decision about an entry to decisions.jsonl; nothing is ever removed."""
    import datetime
    import getpass

    from pydantic import ValidationError

    from ilp_bench.records.run_record import first_problem
    from ilp_bench.submission.decisions import DECISIONS, Decision
    from ilp_bench.submission.decisions import decide as append
    from ilp_bench.submission.format import read_submission

    if decision not in DECISIONS:
        raise UsageError(f"unknown decision {decision!r}.{near(decision, DECISIONS)}")
    found = read_submission(entry)
    root = entry.resolve().parent.parent
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    about = {"run_id": found.run_id, "entry": found.folder, "decision": decision, "reason": reason, "date": today}
    try:
        line = Decision.model_validate(about | {"by": by or getpass.getuser()})
    except ValidationError as error:
        raise UsageError(first_problem(error)) from error
    file = append(root, line)
    if (root / "table.csv").is_file():
        table(root)
    typer.echo(f"{file}: {found.folder} {decision}: {reason}")


@app.command()
def table(submissions: Annotated[Path, typer.Argument(help="Folder of submissions.")] = Path("submissions")) -> None:
    """Write table.csv: one row an entry, every number recomputed from its samples."""
    from ilp_bench.submission.summary_table import write_table
    from ilp_bench.submission.validate import check, find

    checked = [check(folder) for folder in find([submissions])]
    if problems := [problem for one in checked for problem in one.problems]:
        raise ProblemError(f"{len(problems)} problems, such as {problems[0]}: see 'ilp-bench validate {submissions}'")
    typer.echo(f"{write_table(submissions, checked)}: {len(checked)} submissions")


@app.command()
def share(
    submission: Entry,
    form: Annotated[str, typer.Option("--format", help="model-card or every-eval-ever.")] = "model-card",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; else it is printed.")] = None,
) -> None:
    """A submission's results for a Hugging Face model card, or as an Every Eval Ever record."""
    from ilp_bench.core.files import write_text
    from ilp_bench.submission.export_results import FORMATS
    from ilp_bench.submission.validate import check

    if form not in FORMATS:
        raise UsageError(f"unknown format {form!r}.{near(form, FORMATS)}")
    found = check(submission)
    if found.problems or not found.submission:
        raise ProblemError(f"{len(found.problems)} problems, such as {found.problems[0]}: only valid ones are shared")
    text = FORMATS[form](found.submission)
    if out:
        write_text(out, text)
        typer.echo(f"{out}: {form} of {found.submission.folder}")
    else:
        typer.echo(text, nl=False)
