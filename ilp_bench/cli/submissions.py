"""The commands that make, check and show entries of the leaderboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ilp_bench.cli.console import counted
from ilp_bench.cli.options import (
    LEADERBOARD,
    BaseRun,
    Entry,
    OutFile,
    Reference,
    Runs,
    Submissions,
    Vanilla,
    example,
    require_entry,
)
from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.core.folder_kind import what_it_is

app = typer.Typer()


@app.command(
    rich_help_panel=LEADERBOARD,
    epilog=example(
        "ilp-bench submit runs/mine --vanilla runs/vanilla --base-run runs/base --meta meta.json --out submissions"
    ),
)
def submit(
    runs: Runs,
    vanilla: Vanilla = None,
    meta: Annotated[
        Path | None,
        typer.Option("--meta", help="JSON file with org, model, division …; without it, a terminal asks."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of submissions.")] = Path("submissions"),
    base_run: BaseRun = None,
    reference: Reference = None,
) -> None:
    """Build a submission from runs, check it, show it, and say what comes next."""
    from ilp_bench.api.results import submit as write
    from ilp_bench.cli.prompts import ask_meta
    from ilp_bench.cli.submission_table import submission_table
    from ilp_bench.records.run_record import read_run
    from ilp_bench.submission.format import Submission, read_meta, read_submission
    from ilp_bench.submission.summary_table import ARCHIVE_FILE, TABLE_FILE

    if meta is None and not sys.stdin.isatty():
        raise UsageError("give --meta FILE; without a terminal nobody can be asked who submits what")
    fields = read_meta(meta) if meta else None
    submitted = [read_run(run) for run in runs]
    vanillas = [read_run(run, "vanilla run") for run in vanilla or []]
    bases = [read_run(run, "base run") for run in base_run or []]
    who = fields or ask_meta()
    folder = write(submitted, who, out, vanillas, bases, reference)
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    submission_table(submission)
    added = [str(folder)]
    if (out / TABLE_FILE).is_file() or (out / ARCHIVE_FILE).is_file():
        try:
            table(out)
            added.append(str(out / TABLE_FILE))
        except ProblemError as error:
            typer.echo(f"the tables stay as they are: {error}", err=True)
    branch = f"{who.org}-{who.model}"
    typer.echo(f"{folder}: valid; everything above, and the samples, will be public. Next:")
    typer.echo(f"  git switch -c {branch}")
    typer.echo(f"  git add {' '.join(added)}")
    typer.echo(f"  git commit -m 'Submit {who.org} {who.model}'")
    typer.echo(f"  git push -u origin {branch}    # then open a pull request")


@app.command(rich_help_panel=LEADERBOARD, epilog=example("ilp-bench validate submissions"))
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Submission folders, or folders that hold them.")],
    since: Annotated[
        Path | None, typer.Option("--since", help="An earlier state of PATH, of which nothing may have vanished.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="Write Markdown here: new entries beside the reference rows.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="The login that made all changes since then; rights are read there.")
    ] = None,
) -> None:
    """Recompute every score from the samples and list all problems; exit 1 if there is any."""
    from ilp_bench.core.files import write_text
    from ilp_bench.core.untrusted import printable
    from ilp_bench.submission.check_folder import check_all, is_root
    from ilp_bench.submission.comparison import comparison, touched_files

    if by is not None and since is None:
        raise UsageError("give --since with --by: rights are read from an earlier state")
    if since is not None and not since.is_dir():
        raise UsageError(f"{since} is no folder: give --since an earlier state of the folder of submissions")
    if since is not None and (others := [path for path in paths if not is_root(path)]):
        raise UsageError(f"{others[0]} is no folder of submissions: --since compares whole folders")
    checked, problems = check_all(paths, since, by)
    if summary:
        folders = [submission.folder for submission in checked]
        new = [folder for folder in folders if not (since and (since / folder.parent.name / folder.name).is_dir())]
        touched = [text for path in paths if since and path.is_dir() for text in touched_files(since, path)]
        write_text(summary, "\n".join([*touched, "", comparison(checked, new)]))
    for problem in problems:
        typer.echo(printable(problem), err=True)
    if problems:
        raise ProblemError(f"{counted(len(problems), 'problem')} in {counted(len(checked), 'submission')}")
    typer.echo(f"{counted(len(checked), 'submission')}, no problem")
    if len(paths) == 1 and is_root(paths[0]):
        typer.echo(f"Next, to look at them: ilp-bench render --submissions {paths[0]} --out site")


@app.command(rich_help_panel=LEADERBOARD, epilog=example("ilp-bench table submissions"))
def table(submissions: Submissions = Path("submissions")) -> None:
    """Write table.csv and table-2.csv: one row an entry, recomputed from samples."""
    from ilp_bench.submission.check_folder import is_root
    from ilp_bench.submission.summary_table import write_tables
    from ilp_bench.submission.validate import check, find

    if submissions.exists() and not is_root(submissions):
        raise UsageError(
            f"{submissions} is not a folder of submissions: {what_it_is(submissions)}; give the one of all entries"
        )
    checked = [check(folder) for folder in find([submissions])]
    if problems := [problem for submission in checked for problem in submission.problems]:
        raise ProblemError(
            f"{counted(len(problems), 'problem')}, such as {problems[0]}: see 'ilp-bench validate {submissions}'"
        )
    files = write_tables(submissions, checked)
    typer.echo(f"{', '.join(map(str, files)) or 'no table'}: {counted(len(checked), 'submission')}")


@app.command(
    rich_help_panel=LEADERBOARD,
    epilog=example("ilp-bench share submissions/your-lab__your-model/ID --format model-card"),
)
def share(
    submission: Entry,
    form: Annotated[str, typer.Option("--format", help="model-card, eval-results or every-eval-ever.")] = "model-card",
    out: OutFile = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="With eval-results, the Hub dataset that has the tasks.")
    ] = None,
    pull_request: Annotated[
        str | None, typer.Option("--pull-request", help="Open a pull request with eval-results on this Hub model.")
    ] = None,
) -> None:
    """Write a submission's results for the Hub, or as an Every Eval Ever record.

    eval-results is .eval_results/ilp-bench.yaml of a model repository. With a folder as --out, every-eval-ever writes
    the record and a row for each probe as its datastore lays them out.
    """
    from ilp_bench.core.files import write_text
    from ilp_bench.data.card import HUB_DATASET
    from ilp_bench.submission.every_eval_ever import every_eval_ever, write_every_eval_ever
    from ilp_bench.submission.export_results import FORMATS, eval_results, open_pull_request
    from ilp_bench.submission.format import Submission
    from ilp_bench.submission.validate import check

    formats = FORMATS | {"every-eval-ever": every_eval_ever}
    if form not in formats:
        raise UsageError(f"unknown format {form!r}.{near(form, formats)}")
    if (dataset or pull_request) and form != "eval-results":
        raise UsageError("--dataset and --pull-request are of --format eval-results")
    require_entry(submission)
    found = check(submission)
    if found.problems or not found.submission:
        problems = counted(len(found.problems), "problem")
        raise ProblemError(f"{problems}, such as {found.problems[0]}: only valid ones are shared")
    if not isinstance(found.submission, Submission):
        raise UsageError(f"{submission} is on dataset 2, which is closed: only entries of schema 3 are shared")
    entry = found.submission.model_copy(update={"scores": found.scores})  # by the scorer of today, as on the site
    if pull_request:
        typer.echo(f"{open_pull_request(entry, pull_request, dataset or HUB_DATASET)}: opened")
        return
    if form == "every-eval-ever" and out and out.suffix != ".json":
        typer.echo(f"{write_every_eval_ever(entry, found.runs, out)}: and its samples beside it")
        return
    text = eval_results(entry, dataset) if dataset else formats[form](entry)
    if out:
        write_text(out, text)
        typer.echo(f"{out}: {form} of {entry.folder}")
    else:
        typer.echo(text, nl=False)


@app.command(rich_help_panel=LEADERBOARD, epilog=example("ilp-bench render --submissions submissions --out site"))
def render(
    submissions: Annotated[Path, typer.Option("--submissions", help="Folder of submissions.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the site; an older site there is replaced.")],
    url: Annotated[str, typer.Option(help="Where the site will stand, for its feed and link previews.")] = "",
) -> None:
    """Render the static leaderboard; unchanged pages are taken over."""
    from ilp_bench.core.untrusted import printable
    from ilp_bench.leaderboard.site import render as write

    count = write(submissions, out, url=url, left_out=lambda text: typer.echo(f"left out: {printable(text)}", err=True))
    typer.echo(f"{out / 'index.html'}: {counted(count, 'submission')}; open it in a browser")
