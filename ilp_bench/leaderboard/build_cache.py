"""The work that grows with the number of submissions: check and read each, write its page, and do nothing twice."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import ilp_bench
from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import file_sha256, read_json
from ilp_bench.core.site_files import leaderboard_path
from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard import pages
from ilp_bench.leaderboard.archive import ArchiveEntry, describe_archived
from ilp_bench.leaderboard.describe import describe_entry
from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.item_pages import entry_items
from ilp_bench.leaderboard.ranking import BaseModel, Standing, beside_project, project_entries
from ilp_bench.leaderboard.workers import RunAll
from ilp_bench.recipes import RECIPES
from ilp_bench.records.reference_record import FILE, reference_folders
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import Submission, read_submission
from ilp_bench.submission.owners import OWNERS_FILE, SigningKey, read_owners
from ilp_bench.submission.rerun_record import Verification, read_verification
from ilp_bench.submission.signatures import signer
from ilp_bench.submission.validate import Checked, check
from ilp_bench.submission.version_2 import ArchivedSubmission

ITEM_PAGES = 25  # entries of a table that have a page of their items: those on the front page


@dataclass(frozen=True)
class ReadResult:
    """What was read of one submission folder: its problems, or its entry.

    content        hash of its files
    verifications  the re-runs of an entry that were signed by a key which the folder's owners list, oldest first
    """

    content: str
    problems: tuple[str, ...] = ()
    entry: Entry | ArchiveEntry | None = None
    verifications: tuple[Verification, ...] = ()


class Build:
    """What the site in ``out`` was made from, and what the new one is.

    ``checker`` stands for the code that checks submissions, ``renderer`` for that of the pages as well.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        references = tuple(file_sha256(folder / FILE) for folder in reference_folders())
        self.checker, self.renderer = _hashes(CAUSES.names(), RECIPES.names(), references)
        try:
            old = read_json(out / "build.json")
        except ProblemError:
            old = {}
        self.checked: dict[str, str] = old.get("checked", {}) if old.get("checker") == self.checker else {}
        self.pages: dict[str, str] = old.get("pages", {}) if old.get("renderer") == self.renderer else {}
        self.new_checked: dict[str, str] = {}
        self.new_pages: dict[str, str] = {}

    def take_over(self, name: str, site: Path, key: str) -> bool:
        """Link a file of the old site into the new one if it was made from the same; remembers ``key`` either way."""
        if self.new_pages.get(name) == key:
            return True
        self.new_pages[name] = key
        source = self.out / name
        if self.pages.get(name) != key or not source.is_file():
            return False
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, site / name)
        except OSError:
            shutil.copyfile(source, site / name)
        return True

    def write(self, site: Path) -> None:
        """Write ``build.json``."""
        made_from = {
            "checker": self.checker,
            "renderer": self.renderer,
            "checked": self.new_checked,
            "pages": self.new_pages,
        }
        (site / "build.json").write_text(json.dumps(made_from, indent=0, sort_keys=True) + "\n")


@lru_cache(maxsize=2)
def _hashes(causes: tuple[str, ...], recipes: tuple[str, ...], references: tuple[str, ...]) -> tuple[str, str]:
    """Hashes of the code that checks submissions, and of everything that makes pages.

    The names of the registered causes and recipes count, because other packages can add some, and the references, which
    submissions are scored against.
    """
    code = Path(str(files("ilp_bench")))
    sources = sorted(file for file in code.rglob("*.py") if "__pycache__" not in file.parts)
    pages_only = {file for file in sources if file.parent.name == "leaderboard"}
    styles = sorted(file for file in leaderboard_path().rglob("*") if file.is_file())
    words = " ".join((ilp_bench.__version__, *causes, *recipes, *references))
    return _hash(words, [file for file in sources if file not in pages_only]), _hash(words, [*sources, *styles])


def _hash(words: str, sources: list[Path]) -> str:
    digest = hashlib.sha256(words.encode())
    for file in sources:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


def read_all(run: RunAll, folders: list[Path], decisions: list[Decision], build: Build) -> list[ReadResult]:
    """Check and read every submission; one that was checked before is not checked again."""
    by_run: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_run.setdefault(decision.run_id, []).append(decision)
    keys = {place: read_owners(place).keys for place in {folder.parent.parent for folder in folders}}
    tasks = [
        (folder, by_run.get(folder.name, []), build.checked.get(folder.name), keys[folder.parent.parent])
        for folder in folders
    ]
    results = list(run(_read, tasks))
    for folder, result in zip(folders, results, strict=True):
        build.new_checked[folder.name] = result.content
    return results


def _read(task: tuple[Path, list[Decision], str | None, list[SigningKey]]) -> ReadResult:
    folder, decisions, checked_content, keys = task
    content = _content_sha256(folder)
    checked = check(folder) if content != checked_content else Checked(folder)
    if checked.problems:
        return ReadResult(content, tuple(checked.problems))
    submission = checked.submission or read_submission(folder)
    signed = tuple(record for record in read_verification(folder) if signer(record, folder.name, keys))
    if isinstance(submission, ArchivedSubmission):
        return ReadResult(content, (), describe_archived(submission, decisions, signed))
    return ReadResult(content, (), describe_entry(folder, submission, decisions, signed), signed)


def _content_sha256(folder: Path) -> str:
    """Hash over the bytes of a submission's files."""
    digest = hashlib.sha256()
    files_read = [*folder.iterdir(), folder.parent.parent / OWNERS_FILE]  # whose keys say which re-runs count
    for file in sorted(path for path in files_read if path.is_file()):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def entry_pages(
    run: RunAll, models: list[BaseModel], results: list[ReadResult], build: Build, site: Path, common: dict[str, Any]
) -> None:
    """Write the page of each entry of version 3, except those that are taken over from the site before."""
    (site / "runs").mkdir()
    of_run = {result.entry.run_id: result for result in results if result.entry}
    tasks = []
    for model in models:
        everyone = [entry for group in model.groups for entry in [*group.entries, *group.withdrawn]]
        budgets = dict.fromkeys(entry.budget_division for entry in everyone)
        of_project = {budget: project_entries(model, budget) for budget in budgets}
        for group in model.groups:
            about = {"slug": group.slug, "title": group.title, "ranked": group.ranked, "model": model.slug}
            about |= {"first": {"title": group.first.title, "page": group.first.page} if group.first else None}
            withdrawn = [Standing(entry, None, shared=False, behind=None) for entry in group.withdrawn]
            for place, standing in enumerate([*group.standings, *withdrawn]):
                entry = standing.entry
                with_items = place < min(ITEM_PAGES, len(group.standings))
                decided = [decision.model_dump(mode="json") for decision in entry.decisions]
                beside = {"beside": beside_project(of_project[entry.budget_division], entry), "with_items": with_items}
                made_from = [of_run[entry.run_id].content, decided, standing[1:], about | beside, common]
                key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:24]
                files_of_entry = [entry.page, entry.badge, *([entry.items_page] if with_items else [])]
                taken_over = [build.take_over(name, site, key) for name in files_of_entry]
                if not all(taken_over):
                    tasks.append((standing, of_run[entry.run_id].verifications, about | beside, common, site))
    for _ in run(_write_page, tasks):
        pass


def _write_page(task: tuple[Standing, tuple[Verification, ...], dict[str, Any], dict[str, Any], Path]) -> None:
    standing, verifications, group, common, site = task
    folder = standing.entry.folder
    submission = Submission.model_validate_json((folder / "submission.json").read_bytes())  # which was checked
    read = {"submission": submission, "verifications": verifications}
    pages.write(site / standing.entry.page, "run.html", root="..", standing=standing, group=group, **read, **common)
    pages.write(site / standing.entry.badge, "badge.svg", root="..", entry=standing.entry)
    if group["with_items"]:
        seed, items = entry_items(folder, submission)
        values = {"seed": seed, "causes_shown": items, "entry": standing.entry, **common}
        pages.write(site / standing.entry.items_page, "items.html", root="..", **values)
