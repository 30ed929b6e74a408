"""What only a whole folder of submissions shows: copies, names that can be confused, entries that vanished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import ProblemError
from ilp_bench.submission.check_copies import copy_problems, measurement_problems, measurements
from ilp_bench.submission.decisions import DECISIONS_FILE, parse_decisions
from ilp_bench.submission.fields import lookalikes
from ilp_bench.submission.owners import OWNERS_FILE, authority_problems, read_owners
from ilp_bench.submission.rerun_record import VERIFICATION_FILE, read_verification
from ilp_bench.submission.signatures import signer
from ilp_bench.submission.summary_table import ARCHIVE_FILE, TABLE_FILE, table_problems
from ilp_bench.submission.validate import Checked, check, find
from ilp_bench.submission.version_2 import ArchivedSubmission

ALLOWED_FILES = {"README.md", DECISIONS_FILE, OWNERS_FILE, TABLE_FILE, ARCHIVE_FILE}


class CheckedFolders(NamedTuple):
    """Submissions after their check, and all problems: theirs, and those of folders of submissions as a whole."""

    submissions: list[Checked]
    problems: list[str]


def check_all(paths: Sequence[Path], since: Path | None = None, by: str | None = None) -> CheckedFolders:
    """Check every submission in or below ``paths``, and each folder of submissions as a whole.

    since   an earlier state of those folders, of which nothing may have vanished
    by      the login that made all changes since then; what it may not change is a problem

    Raises UsageError for a path that does not exist or holds no submission.
    """
    checked = [check(folder) for folder in find(paths)]
    problems = [problem for submission in checked for problem in submission.problems]
    for root in filter(is_root, paths):
        entries = [submission for submission in checked if root in submission.folder.parents]
        problems += entry_problems(root, entries, since)
        problems += [] if problems else table_problems(root, entries)
        if since:
            problems += [*history_problems(since, root), *_late_archived(since, entries)]
        if since and by:
            problems += authority_problems(since, root, by)
    return CheckedFolders(checked, problems)


def _late_archived(old: Path, entries: Sequence[Checked]) -> Iterator[str]:
    """Entries of schema 2 that an earlier state did not have: dataset 2 is a closed archive."""
    for entry in entries:
        is_new = not (old / entry.folder.parent.name / entry.folder.name).is_dir()
        if is_new and isinstance(entry.submission, ArchivedSubmission):
            yield f"{entry.folder} is of schema 2, and dataset 2 is closed: train and submit on a dataset of version 3"


def is_root(path: Path) -> bool:
    """Whether this is a folder of entries, as against one entry or part of it."""
    return path.is_dir() and (path.name == "submissions" or any(path.glob("*__*/*/submission.json")))


def entry_problems(root: Path, entries: Sequence[Checked], old: Path | None = None) -> list[str]:
    """Everything that is wrong with the folder as a whole; ``old``, an earlier state, says which entries are older."""
    decisions, problems = parse_decisions(root / DECISIONS_FILE)
    last = {decision.run_id: decision.decision for decision in decisions}
    remedy = "entries are never removed, only withdrawn"
    problems += [
        f"{root / DECISIONS_FILE}: {decision.entry} was decided on but is not there: {remedy}"
        for decision in decisions
        if not (root / decision.entry / "submission.json").is_file()
    ]
    problems += _layout(root)
    problems += _names(root)
    held = [entry for entry in entries if entry.submission and last.get(entry.submission.run_id) != "withdrawn"]
    compared = measurements(held, old)
    problems += [*copy_problems(compared), *measurement_problems(compared)]
    problems += _unsigned(entries, old or root)
    return problems


def _unsigned(entries: Sequence[Checked], authority: Path) -> Iterator[str]:
    """Re-runs that nobody signed whose key is listed where the authority lies, or that are out of order."""
    try:
        keys = read_owners(authority).keys
    except ProblemError as error:
        yield str(error)
        return
    for entry in entries:
        if entry.submission is None:
            continue
        try:
            records = read_verification(entry.folder)
        except ProblemError:
            continue  # said by the check of that entry
        for number, record in enumerate(records):
            where = f"{entry.folder / VERIFICATION_FILE}: records.{number}"
            if signer(record, entry.submission.run_id, keys) is None:
                yield f"{where} is signed by no key in {OWNERS_FILE}: sign it with 'ilp-bench verify'"
            if number and record.date < records[number - 1].date:
                yield f"{where} is of {record.date}, before the record above it"


def _layout(root: Path) -> Iterator[str]:
    if root.is_symlink():
        yield f"{root} is a symbolic link: put the folder itself there"
    for path in sorted(root.iterdir()):
        if path.is_symlink():
            yield f"{path} is a symbolic link: put the folder itself there"
        elif path.is_dir() and not path.name.startswith("."):
            for run in sorted(path.iterdir()):
                if run.is_symlink():
                    yield f"{run} is a symbolic link: put the folder itself there"
                elif not (run / "submission.json").is_file() and not run.name.startswith("."):
                    yield f"{run} is not a submission: remove it, or make one with 'ilp-bench submit'"
        elif path.is_file() and path.name not in ALLOWED_FILES and not path.name.startswith("."):
            yield f"{path} does not belong into a folder of submissions: remove it"


def _names(root: Path) -> Iterator[str]:
    """Organisations, and models of one, whose names can be taken for one another."""
    folders = sorted(path.name for path in root.glob("[!.]*__*") if path.is_dir())
    yield from (f"{root}/{problem}: choose another name" for problem in lookalikes(folders))


def history_problems(old: Path, new: Path) -> list[str]:
    """What an earlier state of the folder had and this one has not: nothing is removed, changed or rewritten.

    ``verification.json`` and ``decisions.jsonl`` may grow at their end; the table and the README may change.
    """
    problems = []
    for file in sorted(path for path in old.rglob("*") if path.is_file() and ".git" not in path.parts):
        name = file.relative_to(old)
        if str(name) in ALLOWED_FILES - {DECISIONS_FILE}:
            continue
        now = new / name
        if not now.is_file():
            problems.append(f"{now} was removed: entries stay, and are withdrawn with 'ilp-bench decide'")
            continue
        before, after = file.read_bytes(), now.read_bytes()
        if name.name == DECISIONS_FILE and not after.startswith(before):
            problems.append(f"{now} was rewritten: only append to it")
        elif name.name == VERIFICATION_FILE:
            try:
                earlier = read_verification(file.parent)
                if read_verification(now.parent)[: len(earlier)] != earlier:
                    problems.append(f"{now} was rewritten: only append to it")
            except ProblemError as error:
                problems.append(str(error))
        elif name.name != DECISIONS_FILE and before != after:
            problems.append(f"{now} was changed: submit it anew under its own run id")
    return problems
