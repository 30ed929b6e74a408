"""Recompute every number of a submission from its samples, and list all problems at once.

Needs no network, no GPU and no secret. A problem names its file and what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from ilp_bench.dataset import file_sha256, make
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.files import read_json
from ilp_bench.record import Run, read_samples
from ilp_bench.score import score
from ilp_bench.submission import ALL_SAMPLES, ROLES, Submission, budget_problem, run_id

TOLERANCE = 1e-9
FIXED = ("item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")


def find(paths: Iterable[Path]) -> list[Path]:
    """All submission folders in or below the given paths; raises UsageError for a path that holds none."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such path: {path}")
        here = sorted(file.parent for file in path.rglob("submission.json") if not file.parent.name.startswith("."))
        if not here and path.name != "submissions":
            raise UsageError(f"{path} holds no submission.json: make one with 'ilp-bench submit'")
        found += here
    return list(dict.fromkeys(found))


def validate(folder: Path) -> list[str]:
    """All problems of one submission folder; an empty list means that it holds."""
    try:
        submission = Submission.model_validate(read_json(folder / "submission.json"))
    except ProblemError as error:
        return [str(error)]
    except ValidationError as error:
        return [
            f"{folder}/submission.json: {'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()
        ]
    try:
        samples = read_samples(folder / "samples.parquet", ALL_SAMPLES)
    except ProblemError as error:
        return [str(error)]
    where = f"{folder}/submission.json"
    problems = [f"{where}: {problem}" for problem in _identity(submission, folder)]
    problems += [f"{folder}/samples.parquet: {problem}" for problem in _samples(submission, samples)]
    if not problems:
        problems += [f"{where}: {problem}" for problem in _scores(submission, samples)]
    return problems


def _identity(submission: Submission, folder: Path) -> Iterator[str]:
    if submission.run_id != run_id(submission.model_dump(mode="json")):
        yield "run_id is not the hash of the content: build the submission again with 'ilp-bench submit'"
    if f"{folder.parent.name}/{folder.name}" != submission.folder:
        yield f"the folder must be {submission.folder}: move it there"
    if submission.samples_sha256 != file_sha256(folder / "samples.parquet"):
        yield "samples_sha256 differs from samples.parquet: one of them was changed"
    problem = budget_problem(submission.meta, submission.records.submission, submission.records.vanilla)
    if problem:
        yield problem


def _samples(submission: Submission, samples: pa.Table) -> Iterator[str]:
    data = submission.records.submission.data
    try:
        known = make(data.size, data.seed)
    except (UsageError, ValueError) as error:
        yield f"dataset {data.size!r} seed {data.seed} cannot be built: {error}"
        return
    if known.sha256 != data.content_sha256:
        yield f"the dataset is not ILP-Bench {data.size} seed {data.seed} of this version: evaluate on a current build"
        return
    items = {row["probe_id"]: row for row in known.items.to_pylist()}
    wanted = {role for role in ROLES if getattr(submission.records, role) is not None}
    present = set(samples["role"].to_pylist())
    if present != wanted:
        yield f"roles are {sorted(map(str, present))}, the records say {sorted(wanted)}"
    for role in sorted(wanted & present):
        yield from (f"{role}: {problem}" for problem in _rows(_of(samples, role).to_pylist(), items))


def _rows(rows: list[dict[str, Any]], items: dict[str, dict[str, Any]]) -> Iterator[str]:
    ids = [row["probe_id"] for row in rows]
    missing, unknown = sorted(items.keys() - set(ids)), sorted({str(one) for one in ids} - items.keys())
    if missing:
        yield f"{len(missing)} probes are missing, such as {missing[0]}: evaluate the whole dataset"
    if unknown:
        yield f"{len(unknown)} probes are not in the dataset, such as {unknown[0]}"
    if len(ids) != len(set(ids)):
        yield f"{len(ids) - len(set(ids))} probes stand twice"
    moved = [row["probe_id"] for row in rows if row["probe_id"] in items and not _same(row, items[row["probe_id"]])]
    if moved:
        yield f"{len(moved)} rows name another item, arm or cause than the dataset, such as {moved[0]}"
    p, logprob = (np.array([row[name] for row in rows], dtype=float) for name in ("p", "logprob"))
    wrong = np.flatnonzero(~np.isclose(p, np.exp(logprob), rtol=1e-9, atol=1e-12))
    if len(wrong):
        yield f"p is not exp(logprob) in {len(wrong)} rows, such as {ids[int(wrong[0])]}"
    # More than half of the probability means that no token can be more probable than the one scored.
    greedy = [row["probe_id"] for row in rows if row["p"] > 0.5 + 1e-6 and not row["greedy"]]
    if greedy:
        yield f"greedy is false although p exceeds one half in {len(greedy)} rows, such as {greedy[0]}"


def _same(row: dict[str, Any], item: dict[str, Any]) -> bool:
    return all(row[name] == item[name] or (_is_nan(row[name]) and _is_nan(item[name])) for name in FIXED)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _of(samples: pa.Table, role: str) -> pa.Table:
    mask = pa.array([one == role for one in samples["role"].to_pylist()])
    return samples.filter(mask).drop_columns(["role"])


def _scores(submission: Submission, samples: pa.Table) -> Iterator[str]:
    runs = {
        role: Run(record, _of(samples, role))
        for role in ROLES
        if (record := getattr(submission.records, role)) is not None
    }
    try:
        found = score(runs["submission"], runs["vanilla"], runs.get("base")).model_dump(mode="json")
    except ProblemError as error:
        yield str(error)
        return
    yield from _differences(submission.scores.model_dump(mode="json"), found, "scores")


def _differences(claimed: Any, found: Any, where: str) -> Iterator[str]:
    if isinstance(claimed, dict) and isinstance(found, dict):
        for key in sorted(claimed.keys() | found.keys()):
            yield from _differences(claimed.get(key), found.get(key), f"{where}.{key}")
    elif isinstance(claimed, list) and isinstance(found, list) and len(claimed) == len(found):
        for index, (left, right) in enumerate(zip(claimed, found, strict=True)):
            name = left.get("cause", index) if isinstance(left, dict) else index
            yield from _differences(left, right, f"{where}.{name}")
    elif isinstance(claimed, float) and isinstance(found, (float, int)):
        if not math.isclose(claimed, found, rel_tol=0, abs_tol=TOLERANCE):
            yield f"{where} is claimed as {claimed:.6g}, but the samples give {found:.6g}"
    elif claimed != found:
        yield f"{where} is claimed as {claimed!r}, but the samples give {found!r}"
