"""Render the leaderboard: static files from validated submissions, readable without JavaScript or a network.

Submissions are read and checked in a pool of processes; groups, ranks and the pages about all entries are made in one;
the entries' own pages in the pool again. ``build.json`` in the site records what each page was made from, and what
has not changed is taken over from the site before. The bytes are the same either way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import new_folder, read_json
from ilp_bench.leaderboard import pages
from ilp_bench.leaderboard.archive import ArchiveEntry, write_archive
from ilp_bench.leaderboard.build_cache import Build, ReadResult, entry_pages, read_all
from ilp_bench.leaderboard.downloads import write_downloads
from ilp_bench.leaderboard.entry import Entry
from ilp_bench.leaderboard.feed import write_feed
from ilp_bench.leaderboard.findings import judge_claims
from ilp_bench.leaderboard.ranking import base_models
from ilp_bench.leaderboard.workers import pool, seldom_collecting
from ilp_bench.replication.evidence import read_evidence
from ilp_bench.scoring.references import committed_references
from ilp_bench.submission.decisions import read_decisions
from ilp_bench.submission.validate import find


def render(
    submissions: Path,
    out: Path,
    *,
    url: str = "",
    workers: int | None = None,
    left_out: Callable[[str], None] | None = None,
) -> int:
    """Write the site; returns the number of entries. An earlier site in ``out`` is replaced once all is written.

    url        where the site will stand, for the feed and link previews
    workers    processes, by default one a core
    left_out   told of each problem of an entry that is left out because it is invalid; without it, one is an error

    Raises UsageError when ``out`` holds something that is no site, ProblemError for any invalid submission, or where
    all of them are.
    """
    _tidy(out)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not is_site(out))):
        raise UsageError(f"{out} holds files that are not a site: choose another folder")
    if url and not url.startswith(("https://", "http://")):
        raise UsageError(f"the site's address {url!r} is not a web address: write it as https://…")
    folders = find([submissions])
    decisions = read_decisions(submissions).history
    build, references = Build(out), list(committed_references().values())
    common: dict[str, Any] = {"url": url.rstrip("/")}
    with seldom_collecting(), new_folder(out, replace=True) as site:
        pages.static(site)
        with pool(len(folders), workers) as run:
            results: list[ReadResult] = read_all(run, folders, decisions, build)
            problems = [problem for result in results for problem in result.problems]
            if left_out is None or not any(result.entry for result in results):
                _refuse(problems, submissions)
            else:
                for problem in problems:
                    left_out(problem)
            entries = [result.entry for result in results if isinstance(result.entry, Entry)]
            archived = [result.entry for result in results if isinstance(result.entry, ArchiveEntry)]
            models = base_models(sorted(entries, key=lambda entry: entry.slug), references)
            pa.default_memory_pool().release_unused()  # of the samples of references, whose means are known now
            entry_pages(run, models, results, build, site, common)
        write_archive(site, archived, common)
        judged = judge_claims(read_evidence(submissions, references), models)
        pages.write_all(site, models, decisions, judged, len(archived), common)
        write_downloads(site, models)
        write_feed(site, entries, decisions, common["url"])
        build.write(site)
    return len(entries) + len(archived)


def is_site(folder: Path) -> bool:
    """Whether a folder is a site that was rendered here: it has a page, and the record of what that was made from."""
    try:
        return (folder / "index.html").is_file() and {"checker", "renderer", "pages"} <= read_json(
            folder / "build.json"
        ).keys()
    except ProblemError:
        return False


def _refuse(problems: list[str], submissions: Path) -> None:
    """Raise ProblemError with the first problems, if there are any."""
    if problems:
        more = f"; and {len(problems) - 3} more: see 'ilp-bench validate {submissions}'" if len(problems) > 3 else ""
        raise ProblemError("; ".join(problems[:3]) + more)


def _tidy(out: Path) -> None:
    """Remove what a killed rendering left beside ``out``; if it was killed between two renamings, restore the site."""
    for left in sorted(out.parent.glob(f".{out.name}.*")):
        pid, _, kind = left.name.removeprefix(f".{out.name}.").partition(".")
        if kind not in ("tmp", "old") or not pid.isdigit() or _alive(int(pid)):
            continue
        if kind == "old" and not out.exists():
            left.rename(out)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
