"""Render the leaderboard: static files from validated submissions, readable without JavaScript or a network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ilp_bench import __version__
from ilp_bench.causes import CAUSES
from ilp_bench.dataset import make
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.files import new_folder
from ilp_bench.score import CauseScore, Interval
from ilp_bench.submission import Submission, read_submission, tokens_of
from ilp_bench.validate import find, validate

LOW, HIGH = -0.5, 1.25  # range of the recovery axis; values beyond are drawn at its ends


def leaderboard_path() -> Path:
    """Templates and styles: inside the installed package, else beside it in a checkout."""
    inside = Path(str(files("ilp_bench") / "_leaderboard"))
    return inside if inside.is_dir() else Path(str(files("ilp_bench"))).parent / "leaderboard"


@dataclass(frozen=True)
class Entry:
    """A submission as the templates see it."""

    submission: Submission
    page: str

    @property
    def overall(self) -> Interval | None:
        """The overall recovery, or None."""
        return self.submission.scores.overall

    @property
    def value(self) -> float:
        """The overall recovery as a sorting key."""
        return self.overall.value if self.overall else 0.0

    @property
    def group(self) -> tuple[str, str]:
        """Base model and dataset: only entries that share both can be compared."""
        return self.base_name, self.submission.first.submission.data.content_sha256

    @property
    def recipe(self) -> str:
        """The recipe by name, or a word for its absence."""
        return str((self.submission.first.submission.training or {}).get("recipe", "not recorded"))

    @property
    def base_name(self) -> str:
        """The base model's name as recorded by the training, or by the base run."""
        training = self.submission.first.submission.training or {}
        if "base" in training:
            return str(training["base"]["name"])
        base = self.submission.first.base
        return base.model.name if base else "unknown"

    @property
    def tokens(self) -> int | None:
        """Training tokens."""
        return tokens_of(self.submission.first.submission)


def render(submissions: Path, out: Path) -> int:
    """Write the site; returns the number of entries. An earlier site in ``out`` is replaced once all is written.

    Raises UsageError when ``out`` holds something that is no site, ProblemError for any invalid submission.
    """
    if out.exists() and any(out.iterdir()) and not (out / "index.html").is_file():
        raise UsageError(f"{out} holds files that are no site: choose another folder")
    folders = find([submissions])
    problems = [problem for folder in folders for problem in validate(folder)]
    if problems:
        raise ProblemError("; ".join(problems))
    entries = [_entry(folder) for folder in folders]
    entries.sort(key=lambda entry: (*entry.group, entry.overall is None, -entry.value, entry.page))
    templates = leaderboard_path()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(causes=CAUSES, version=__version__, x=position, cell=cell, rates=rates)
    with new_folder(out, replace=True) as site:
        shutil.copytree(templates / "static", site / "static")
        (site / "runs").mkdir()
        (site / "causes").mkdir()
        _write(environment, site / "index.html", "index.html", root=".", entries=entries, ranks=_ranks(entries))
        for entry in entries:
            _write(environment, site / entry.page, "submission.html", root="..", entry=entry, s=entry.submission)
        for cause in CAUSES:
            page = site / "causes" / f"{cause.NAME}.html"
            _write(
                environment, page, "cause.html", root="..", cause=cause, entries=entries, examples=_examples(cause.NAME)
            )
    return len(entries)


def position(value: float) -> float:
    """Where a recovery stands on the axis, in percent of its width."""
    return round(100 * (min(max(value, LOW), HIGH) - LOW) / (HIGH - LOW), 2)


def cell(found: Interval | None) -> str:
    """A value with its interval as text; undefined says so."""
    return "not expressed" if found is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _entry(folder: Path) -> Entry:
    submission = read_submission(folder)
    return Entry(submission, f"runs/{submission.meta.org}__{submission.meta.model}__{submission.run_id}.html")


def _ranks(entries: list[Entry]) -> list[int | None]:
    """Ranks within each group of comparable entries.

    An entry whose interval reaches down to the leader of the rank before it shares that rank.
    """
    ranks: list[int | None] = []
    group, floor, place = None, None, 0
    for entry in entries:
        if entry.group != group:
            group, floor, place = entry.group, None, 0
        place += 1
        if entry.overall is None:
            ranks.append(None)
        elif floor is not None and entry.overall.high >= floor:
            ranks.append(ranks[-1])
        else:
            floor = entry.overall.low
            ranks.append(place)
    return ranks


def _examples(cause: str) -> list[dict[str, Any]]:
    """The first pair's recall probes, treated and control, and the rows that teach them."""
    dataset = make("mini", 0)
    items = [row for row in dataset.items.to_pylist() if row["cause"] == cause and row["probe"] == "recall"][:2]
    train = dataset.train.to_pylist()
    return [item | {"rows": [row for row in train if row["item_id"] == item["item_id"]]} for item in items]


def _write(environment: jinja2.Environment, file: Path, template: str, **values: Any) -> None:
    file.write_text(environment.get_template(template).render(**values), encoding="utf-8")


def rates(cause: CauseScore) -> list[tuple[str, float, float]]:
    """(name, treated, control) for base, vanilla and submission, as far as known."""
    named = (("base", cause.base), ("vanilla", cause.vanilla), ("this entry", cause.submission))
    return [(name, found.treated, found.control) for name, found in named if found]
