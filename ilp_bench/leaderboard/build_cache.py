"""The work that grows with the number of submissions: check and read each, write its page, and do nothing twice."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa

import ilp_bench
from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_json
from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard import pages
from ilp_bench.leaderboard.data_files import read_data, write_data
from ilp_bench.leaderboard.entry import Entry, content_sha256, read_entry
from ilp_bench.leaderboard.pair_rates import Rates, from_json, from_replicates
from ilp_bench.leaderboard.ranking import Group, Standing
from ilp_bench.recipes import RECIPES
from ilp_bench.scoring.recovery import SCORER_VERSION
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.validate import check

SMALL = 24  # below, one process is faster than starting more
CHUNK = 16
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@dataclass(frozen=True)
class Read:
    """What was read of one submission folder: its problems, or its description and rates."""

    content: str
    problems: tuple[str, ...] = ()
    entry: Entry | None = None
    rates: Rates | None = None


class Build:
    """What the site in ``out`` was made from, and what the new one is.

    ``checker`` stands for the code that checks and reads submissions, ``renderer`` for that and the pages' as well.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.checker, self.renderer = _hashes(CAUSES.names(), RECIPES.names())
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
        try:
            os.link(source, site / name)
        except OSError:
            shutil.copyfile(source, site / name)
        return True

    def write(self, site: Path) -> None:
        """Write ``build.json``."""
        found = {
            "checker": self.checker,
            "renderer": self.renderer,
            "checked": self.new_checked,
            "pages": self.new_pages,
        }
        (site / "build.json").write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")


@lru_cache(maxsize=2)
def _hashes(causes: tuple[str, ...], recipes: tuple[str, ...]) -> tuple[str, str]:
    """Hashes of the code that checks and reads submissions, and of everything that makes pages.

    The names of the registered causes and recipes count: other packages can add some.
    """
    code = Path(str(files("ilp_bench")))
    sources = sorted(file for file in code.rglob("*.py") if "__pycache__" not in file.parts)
    pages_only = {
        file for file in sources if file.parent.name == "leaderboard" and file.name not in ("entry.py", "pair_rates.py")
    }
    styles = sorted(file for file in pages.leaderboard_path().rglob("*") if file.is_file())
    words = " ".join((ilp_bench.__version__, *causes, *recipes))
    return _hash(words, [file for file in sources if file not in pages_only]), _hash(words, [*sources, *styles])


def _hash(words: str, sources: list[Path]) -> str:
    digest = hashlib.sha256(words.encode())
    for file in sources:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


@contextmanager
def pool(tasks: int, workers: int | None) -> Iterator[Run]:
    """Run a function over many things, in order: in this process if they are few, else in several."""
    count = workers or min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16
    )
    if tasks < SMALL or count < 2:
        yield lambda function, things: map(function, things)
        return
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start_worker) as executor:
        try:
            yield partial(executor.map, chunksize=CHUNK)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    """One thread a worker; and it ends when the process that started it is gone, so that nobody is left waiting."""
    pa.set_cpu_count(1)

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def read_all(run: Run, folders: list[Path], decisions: list[Decision], build: Build) -> list[Read]:
    """Check and read every submission; one that was checked before is not checked again."""
    about: dict[str, list[Decision]] = {}
    for one in decisions:
        about.setdefault(one.run_id, []).append(one)
    tasks = [(folder, about.get(folder.name, []), build.checked.get(folder.name), build.out) for folder in folders]
    found = list(run(_read, tasks))
    for folder, one in zip(folders, found, strict=True):
        build.new_checked[folder.name] = one.content
    return found


def _read(task: tuple[Path, list[Decision], str | None, Path]) -> Read:
    folder, decisions, checked, old = task
    content = content_sha256(folder)
    if content == checked:
        entry = read_entry(folder, decisions)
        kept = old / "runs" / f"{entry.slug}.js"
        if entry.claimed["scorer_version"] == SCORER_VERSION and kept.is_file():
            return Read(content, (), entry, from_json(read_data(kept.read_text(encoding="utf-8"))))
    found = check(folder)
    if found.problems or not found.scores:
        return Read(content, tuple(found.problems))
    entry = read_entry(folder, decisions)
    if entry.claimed["scorer_version"] != SCORER_VERSION:
        entry = replace(entry, scores=found.scores.model_dump(mode="json"))
    return Read(content, (), entry, from_replicates(found.replicates))


def standing_pages(
    run: Run, grouped: list[Group], found: list[Read], build: Build, site: Path, common: dict[str, Any]
) -> None:
    """Write each entry's page and its data file."""
    (site / "runs").mkdir()
    rates = {one.entry.slug: one for one in found if one.entry}
    tasks = []
    for group in grouped:
        about = {"slug": group.slug, "title": group.title, "size": group.size, "ranked": group.ranked}
        about |= {"first": {"title": group.first.title, "page": group.first.page} if group.first else None}
        for standing in group.standings:
            slug = standing.entry.slug
            kept = rates[slug]
            data = f"runs/{slug}.js"
            if kept.rates and not build.take_over(data, site, kept.content):
                words = {"title": standing.entry.title, "group": group.slug, "page": standing.entry.page}
                (site / data).write_text(write_data(slug, words | kept.rates.json()), encoding="utf-8")
            parts = {name: value for name, value in vars(standing).items() if name != "entry"}
            known = [kept.content, standing.entry.verification, standing.entry.decisions, parts, about, common]
            key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:24]
            if not build.take_over(standing.entry.page, site, key):
                tasks.append((standing, about, common, site))
    for _ in run(_write_page, tasks):
        pass


def _write_page(task: tuple[Standing, dict[str, Any], dict[str, Any], Path]) -> None:
    standing, group, common, site = task
    pages.write(site / standing.entry.page, "run.html", root="..", standing=standing, group=group, **common)
