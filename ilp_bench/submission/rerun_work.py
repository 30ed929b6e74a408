"""What both halves of a re-run need: where to work, evaluating as before, and the numbers that are written down."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json, write_text
from ilp_bench.data.dataset import Dataset
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.records.run_record import Run, RunRecord, library_versions, read_run
from ilp_bench.records.training_record import TrainingRecord
from ilp_bench.scoring.points_schema import PointScores
from ilp_bench.submission.rerun_record import Values

UNSEEN_SEEDS = 1_000_000
SEED_FILE = "unseen-seed.txt"  # holds the random seed until the record is written


class Work(NamedTuple):
    """What re-running needs: a folder for what it makes, a device, and who is told of each step."""

    folder: Path
    device: str = "auto"
    say: Callable[[str], None] = lambda _: None


def evaluate_like(model: str, data: Dataset, like: Run, out: Path, work: Work) -> Run:
    """Evaluate a model as ``like`` was evaluated, into ``out``; a run of the same that is there already is read.

    Raises ProblemError where a run is there that is of other weights, another dataset, other libraries or another call.
    """
    record = like.record
    if not (out / "run.json").is_file():
        from ilp_bench.evaluation.run import evaluate

        work.say(f"evaluate {model} on seed {data.manifest.seed}")
        chat = record.prompt_format == "chat"
        evaluate(model, data, out, chat=chat, dtype=record.dtype, device=work.device, probe_base=record.probed)
    run = read_run(out)
    for what, value, wanted in (
        ("weights", run.record.model.weights_sha256, weights_sha256(locate(model))),
        ("dataset", run.record.data.content_sha256, data.sha256),
        ("prompt format", run.record.prompt_format, record.prompt_format),
        ("dtype", run.record.dtype, record.dtype),
        ("few-shot questions", run.record.probed, record.probed),
        ("library versions", named(run.record.versions), named(library_versions())),
    ):
        if value != wanted:
            raise ProblemError(f"{out} holds a run with other {what} ({value}, not {wanted}): remove that folder")
    return run


def named(versions: dict[str, str]) -> str:
    """Versions as text, in the order of their names."""
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))


def public_name(record: RunRecord) -> str:
    """The folder of a run on the public data, which two entries with the same run share."""
    return f"public-{record.model.weights_sha256[:12]}-{record.data.content_sha256[:12]}"


def machine(work: Work, record: RunRecord) -> str:
    """The machine, as the new run of a record names it; without threads or GPU where there is none."""
    file = work.folder / public_name(record) / "run.json"
    name = read_json(file).get("hardware") if file.is_file() else None
    return str(name or f"{platform.machine()} {platform.system()}, {work.device}")


def base_model(training: TrainingRecord | None) -> str | None:
    """The base model that a training names, with its revision; None where it names none."""
    base = training.base if training else None
    if base is None or base.name is None:
        return None
    return at_revision(base.name, base.revision)


def at_revision(name: str, revision: str | None) -> str:
    """A model's name as ``locate`` takes it, with its revision where there is one."""
    return f"{name}@{revision}" if revision else name


def unseen_seed(work: Path, seen: set[int]) -> int:
    """A random seed that the submitter has not seen; the one that was drawn before in a call that did not end."""
    file = work / SEED_FILE
    kept = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if kept.isdecimal() and int(kept) not in seen:
        return int(kept)
    seed = next(number for number in iter(lambda: 1000 + secrets.randbelow(UNSEEN_SEEDS), None) if number not in seen)
    work.mkdir(parents=True, exist_ok=True)
    write_text(file, f"{seed}\n")
    return seed


def require_outside(work: Path, entry: Path) -> None:
    """Raise UsageError where results would be kept in the checkout that an entry is in: it may hold some already."""
    checkout = next((path for path in entry.resolve().parents if (path / ".git").exists()), entry.resolve().parents[1])
    if work.resolve().is_relative_to(checkout):
        raise UsageError(f"{work} is inside {checkout}, which may hold results of others: keep them elsewhere")


def default_folder(run_id: str) -> Path:
    """Where what a re-run makes is kept by default: in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "ilp-bench" / "verify" / run_id


def points_by_name(scores: PointScores) -> Values:
    """G by ``<kind>.<cause>``, and H by ``<kind>.share``; None where it is not defined."""
    values: Values = {}
    for score in (scores.reproduction, scores.internalisation):
        values |= {f"{score.kind}.{one.cause}": one.points.value if one.points else None for one in score.causes}
        values[f"{score.kind}.share"] = score.share.value if score.share else None
    return values
