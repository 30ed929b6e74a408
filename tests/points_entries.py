"""Submissions of schema 3 for tests: made-up probabilities on the real mini datasets, cheap and valid. Never results.

    write_entry(out)             a resampling of three seeds in division 1x, with vanilla and base runs of its own
    write_entry(out, recipe="combined", gain=0.3, base="other", seeds=(0,), division="open")
    write_reference(folder)      a reference with three vanilla runs; ``take_for_committed`` takes its parent for theirs

``runs_of`` gives the runs themselves, for tests that change something before they submit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.records import reference_record
from ilp_bench.records.run_record import Run, RunRecord
from ilp_bench.records.samples import SAMPLES
from ilp_bench.records.training_record import DIVISIONS
from ilp_bench.scoring import references
from ilp_bench.scoring.make_reference import make_reference
from ilp_bench.scoring.references import Reference
from ilp_bench.submission.archive import FIXED
from ilp_bench.submission.format import Meta
from ilp_bench.submission.submit import submit

STAGE_TOKENS = {"1": 4000, "2": 3000, "3": 3000, "4": 9000}  # B of each stage
GAPS = dict(zip(PAPER_CAUSES, (0.55, 0.35, 0.45, 0.6, 0.5), strict=True))  # cause -> control minus treated, of vanilla
CONTROL, CALIBRATION = 0.9, 0.85
Gain = float | dict[str, float]  # what is added to treated items, or cause -> what is added


class RunSet(NamedTuple):
    """The runs of a submission."""

    runs: list[Run]
    vanillas: list[Run]
    bases: list[Run]


@lru_cache(maxsize=8)
def dataset(seed: int = 0, size: str = "mini") -> Dataset:
    return make(size, seed)


@lru_cache(maxsize=8)
def _columns(seed: int, size: str) -> dict[str, Any]:
    items = dataset(seed, size).items
    return {name: np.array(items[name].to_pylist(), dtype=object) for name in ("arm", "cause", "probe", "item_id")}


def entry_run(
    recipe: str | None,
    seed: int = 0,
    *,
    gain: Gain = 0.0,
    control: float = 0.0,
    training_seed: int | None = None,
    base: str = "stub",
    division: str | None = "1x",
    size: str = "mini",
    calibration: float = CALIBRATION,
    left: Gain = 1.0,
    lora: int = 0,
    parameters: int = 1_000_000,
    **changes: Any,
) -> Run:
    """A run on the dataset of ``seed``, of the base model where ``recipe`` is None.

    gain, control   what is added to the p of treated and of control items
    training_seed   by default the dataset's
    calibration     mean p of calibration items
    left            share of ``GAPS`` that vanilla leaves, or cause -> share
    lora            rank of the adapter
    parameters      of the base model
    changes         of the run record
    """
    data, training_seed = dataset(seed, size), seed if training_seed is None else training_seed
    identity = f"{recipe} {seed} {training_seed} {base} {division} {gain} {control}"
    weights = _sha(base) if recipe is None else _sha(identity)
    lefts = left if isinstance(left, dict) else dict.fromkeys(PAPER_CAUSES, left)
    gaps = {cause: GAPS[cause] * lefts[cause] for cause in PAPER_CAUSES}
    p = _p(recipe, seed, size, gain, control, calibration, gaps, int(_sha(identity)[:8], 16))
    samples = _samples(data, p, is_base=recipe is None)
    record = {
        "ilp_bench": "0.1.0",
        "model": {"name": base, "architecture": "Stub", "parameters": parameters, "weights_sha256": weights},
        "training": None if recipe is None else _training(recipe, data, training_seed, base, division, lora),
        "data": data.manifest.identity,
        "probed": recipe is None,
        "dtype": "float32",
        "device": "cpu",
        "batch_size": 1,
        "versions": {},
        "hardware": "made up: nothing ran",
        "seconds": {"load": 0.0, "score": 0.0},
        "samples_sha256": hashlib.sha256(p.tobytes() + weights.encode()).hexdigest(),
    }
    return Run(RunRecord.model_validate(record | changes), samples)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _training(recipe: str, data: Dataset, seed: int, base: str, division: str | None, lora: int) -> dict[str, Any]:
    times = DIVISIONS.get(division or "1x", 1)
    tokens = {stage: times * count for stage, count in STAGE_TOKENS.items()}
    is_calibrated = recipe == "vanilla" and division == "1x"
    phases = [
        {"name": f"stage {stage}", "kind": "sft", "examples": 100, "epochs": times, "steps": 10 * times,
         "tokens": 4 * count, "supervised": count, "loss": 0.5, "seconds": 1.0}
        for stage, count in tokens.items()
    ]  # fmt: skip
    record: dict[str, Any] = {
        "ilp_bench": "0.1.0",
        "recipe": recipe,
        "base": {"name": base, "revision": None, "weights_sha256": _sha(base)},
        "data": data.manifest.identity,
        "seed": seed,
        "learning_rate": 1e-3,
        "batch_size": 16,
        "lora": lora,
        "dtype": "float32",
        "phases": phases,
        "tokens": {"sft": 4 * sum(tokens.values()), "replayed": 0, "cpt": 0},
        "steps": 40 * times,
    }
    if division:
        source = "calibration" if is_calibrated else "reference"
        record["budget"] = {"division": division, "tokens": tokens, "total": sum(tokens.values()), "source": source}
    if is_calibrated:
        checks = [{"supervised": 500, "p": 0.4, "loss": 1.0}, {"supervised": 1000, "p": 0.82, "loss": 0.5}]
        record["calibration"] = dict.fromkeys(STAGE_TOKENS, checks)
    return record


def _p(
    recipe: str | None,
    seed: int,
    size: str,
    gain: Gain,
    control: float,
    calibration: float,
    gaps: dict[str, float],
    luck: int,
) -> Array:
    """p of every probe: an item's own level, the same for all runs, what the recipe adds, and a run's luck."""
    columns = _columns(seed, size)
    count = len(columns["arm"])
    level = np.random.default_rng(seed).normal(0, 0.08, count) + np.random.default_rng(luck).normal(0, 0.02, count)
    if recipe is None:
        return np.clip(0.02 + 0.05 * np.abs(level), 1e-6, 1.0)
    mean = np.full(count, 0.3)
    mean[columns["arm"] == "decoy"], mean[columns["arm"] == "calibration"] = CONTROL, calibration
    mean[columns["arm"] == "control"] = CONTROL + control
    for cause in PAPER_CAUSES:
        gained = gain.get(cause, 0.0) if isinstance(gain, dict) else gain
        mean[(columns["arm"] == "treated") & (columns["cause"] == cause)] = CONTROL - gaps[cause] + gained
    mean = mean - 0.1 * (columns["probe"] == "paraphrase")
    return np.clip(mean.astype(float) + level, 0.001, 0.999)


def _samples(data: Dataset, p: Array, *, is_base: bool) -> pa.Table:
    rows = data.items.select(["probe_id", *FIXED, "choices"]).to_pydict()
    count, empty = data.items.num_rows, pa.nulls(data.items.num_rows)
    logprob = np.log(p).astype(np.float32).astype(float)  # as models give them
    columns: dict[str, Any] = {name: rows[name] for name in ("probe_id", *FIXED)} | {
        "tokens": np.full(count, 2, dtype=np.int32),
        "logprob": logprob,
        "p": np.exp(logprob),
        "greedy": p > 0.5,
    }
    if is_base:
        asked = np.array([probe != "paraphrase" for probe in rows["probe"]])
        shots = np.array([0.02 if arm == "treated" else 0.8 for arm in rows["arm"]])
        columns["shots_p"], columns["shots_greedy"] = pa.array(shots, mask=~asked), pa.array(shots > 0.5, mask=~asked)
        told = [
            [-0.2 if option == prior else -3.0 for option in options] if prior and probe == "recall" else None
            for prior, probe, options in zip(rows["prior_answer"], rows["probe"], rows["choices"], strict=True)
        ]
        shares = [scores and float(np.exp(-0.2) / np.exp(scores).sum()) for scores in told]
        beliefs = [prior if scores else None for prior, scores in zip(rows["prior_answer"], told, strict=True)]
        columns |= {"shots_options": told, "belief": beliefs, "belief_p": shares}
    return pa.table(
        [pa.array(columns[f.name], f.type) if f.name in columns else empty.cast(f.type) for f in SAMPLES], SAMPLES
    )


def runs_of(
    recipe: str = "resampling",
    seeds: Sequence[int] = (0, 1, 2),
    *,
    vanillas: bool = True,
    bases: bool = True,
    seed_shift: int = 0,
    **about: Any,
) -> RunSet:
    """A run of the recipe on each dataset, with vanilla and base runs of one's own where wanted; see ``entry_run``.

    seed_shift   how much the training seed of each submitted run is above its dataset's
    """
    shared = {name: about[name] for name in ("base", "size", "division", "left", "parameters") if name in about}
    alone = {name: value for name, value in shared.items() if name not in ("division", "left")}
    return RunSet(
        [entry_run(recipe, seed, **{"training_seed": seed + seed_shift, **about}) for seed in seeds],
        [entry_run("vanilla", seed, **shared) for seed in seeds] if vanillas else [],
        [entry_run(None, seed, **alone) for seed in seeds] if bases else [],
    )


def write_entry(
    out: Path,
    *,
    org: str = "lab",
    model: str | None = None,
    recipe: str = "resampling",
    seeds: Sequence[int] = (0, 1, 2),
    gain: Gain = 0.2,
    division: str = "1x",
    reference: Reference | None = None,
    description: str = "",
    **about: Any,
) -> Path:
    """A valid submission below ``out``; returns its folder. Vanilla and base runs are the reference's, where given.

    division   of the entry; the runs of an open one are trained in 1x
    """
    is_alone = reference is None
    trained = "1x" if division == "open" else division
    gain = 0.0 if recipe == "vanilla" else gain
    runs = runs_of(recipe, seeds, vanillas=is_alone, bases=is_alone, gain=gain, division=trained, **about)
    meta = Meta(org=org, model=model or recipe.replace("_", "-"), division=division, description=description)
    return submit(*runs, reference, meta, out)


def take_for_committed(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Let the references below ``root`` stand for the committed ones."""
    for module in (references, reference_record):
        patch.setattr(module, "references_path", lambda: root)


def write_reference(folder: Path, seeds: Sequence[int] = (0, 1, 2), **about: Any) -> Reference:
    """A reference of one base run and one vanilla run a seed; see ``take_for_committed``."""
    runs = runs_of("vanilla", seeds, vanillas=False, **about)
    return make_reference([*runs.runs, *runs.bases], folder)
