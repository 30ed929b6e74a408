"""How long the site takes to make, how much memory, and how large its front page is. Prints JSON.

usage: python benchmarks/render.py [--count 5000] [--work DIR]

Entries are made up (tests/board_entries.py), valid and accepted; making them is not timed. ``scratch``: nothing was
there. ``every page``: all pages are made, the checks are kept. ``again``: nothing changed. ``one more``: one was added.
Processor seconds are those of all processes. Entries of one base model share its base and vanilla runs, as those of
one team do; ``no run shared`` is made as if none did, and ``milliseconds a check`` says what sharing saves.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def tree(site: Path) -> str:
    """Hash over the names and bytes of a site."""
    digest = hashlib.sha256()
    for file in sorted(path for path in site.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(site)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def timed(submissions: Path, site: Path, url: str = "", own_runs: bool = False) -> dict[str, float]:
    """Seconds of one rendering in a process of its own, and the largest memory of it and its workers at one time.

    Memory is the proportional set size: what several processes share counts once. It is looked at five times a second.
    With ``own_runs``, nothing that was worked out of a run serves the next entry, as if no two entries shared one.
    """
    code = """
import json, os, resource, sys, time
from pathlib import Path
from ilp_bench.leaderboard import build_cache
from ilp_bench.leaderboard.site import render
if sys.argv[4]:  # read by the workers too
    sys.path.insert(0, sys.argv[4])
    from render import forget_runs
    check = build_cache.check
    build_cache.check = lambda folder: [forget_runs(), check(folder)][1]
if __name__ == "__main__":
    start = time.perf_counter()
    count = render(Path(sys.argv[1]), Path(sys.argv[2]), url=sys.argv[3])
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(usage.ru_utime + usage.ru_stime for usage in used)
    print(json.dumps({"seconds": round(time.perf_counter() - start, 1), "processor seconds": round(processor, 1)}))
"""
    peak = 0.0
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(code)
        script.flush()
        own = str(Path(__file__).parent) if own_runs else ""
        words = [sys.executable, script.name, str(submissions), str(site), url, own]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
            while running.poll() is None:
                peak = max(peak, memory(running.pid))
                time.sleep(0.2)
            printed = running.stdout.read() if running.stdout else ""
    if running.returncode:
        sys.exit(running.returncode)
    measured: dict[str, float] = json.loads(printed)
    return measured | {"megabytes": round(peak, 1)}


def memory(session: int) -> float:
    """Megabytes of all processes of a session."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) == session:
                total += sum(
                    map(int, re.findall(r"^Pss:\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE))
                )
        except OSError:  # it has ended
            continue
    return total / 1024


def forget_runs() -> None:
    """Empty the caches by run; those by dataset (where each pair's rows stand) serve entries that share no run too."""
    from ilp_bench.scoring import activity, learned_rates, pair_probabilities
    from ilp_bench.submission import copy_statistics, sample_store

    caches = [sample_store._cached_run, sample_store._held_once]
    caches += [pair_probabilities.pair_tables, pair_probabilities.held_out_mean, copy_statistics._middle_numbers]
    caches += [pair_probabilities.all_values, activity.activity]
    caches += [learned_rates.pair_rates, learned_rates.active_pairs, learned_rates.held_out_fact_retention]
    for cache in caches:
        cache.cache_clear()


def checks(submissions: Path, count: int = 48) -> dict[str, float]:
    """Milliseconds to check one entry: beside others with the same base and vanilla runs, and beside strangers."""
    from ilp_bench.submission.validate import check, find

    folders = find([submissions])
    checked = folders[:: max(1, len(folders) // count)][:count]
    milliseconds = {}
    check(checked[0])  # what is worked out once for all
    for name in ("shared runs", "runs of its own"):
        start = time.perf_counter()
        for folder in checked:
            if name == "runs of its own":
                forget_runs()
            check(folder)
        milliseconds[name] = round((time.perf_counter() - start) / len(checked) * 1000, 1)
    return milliseconds


def accept_all(submissions: Path) -> None:
    """Every entry was accepted, as those of a real board were."""
    about = {"decision": "accepted", "reason": "made up", "date": "2026-11-24", "by": "a maintainer"}
    entries = [file.parent.relative_to(submissions) for file in sorted(submissions.glob("*/*/submission.json"))]
    lines = [json.dumps({"run_id": entry.name, "entry": str(entry), **about}) for entry in entries]
    (submissions / "decisions.jsonl").write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp())
    submissions, site = work / "submissions", work / "site"
    from board_entries import make_entries  # type: ignore[import-not-found]

    if not submissions.exists():
        make_entries(submissions, arguments.count + 1)
        accept_all(submissions)
    last = sorted(submissions.glob("*/*"))[-1]
    aside = work / "aside"
    last.rename(aside)
    report: dict[str, object] = {"entries": arguments.count, "cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as other:
        report["scratch, no run shared"] = timed(submissions, Path(other) / "site", own_runs=True)
    report["scratch"] = timed(submissions, site)
    report["every page"] = timed(submissions, site, "https://example.org")
    timed(submissions, site)
    first = tree(site)
    report["again"] = timed(submissions, site)
    report["same bytes again"] = tree(site) == first
    aside.rename(last)
    report["one more"] = timed(submissions, site)
    index = (site / "index.html").read_bytes()
    report["milliseconds a check"] = checks(submissions)
    report["index bytes"] = len(index)
    report["index bytes, gzip"] = len(gzip.compress(index, mtime=0))
    report["site megabytes"] = round(sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6, 1)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
