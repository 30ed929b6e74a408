"""Synthetic submissions: made-up learned rates, for tests, benchmarks and looking at pages. Never results.

usage: python tests/synthetic.py OUT [--count 12]

Three base models, twelve recipes each, in turn. Every recipe lifts the treated arm of its causes. Samples are made once
for each base and recipe; beyond that, submissions repeat them under other names, so that thousands are quickly made and
all of them valid.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from itertools import count as counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from conftest import KEPT, record

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.records.run_record import SAMPLES, Run, RunRecord, Runs
from ilp_bench.submission.decisions import Decision, decide
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.rerun_record import Public, Unseen, Verification, add_verification
from ilp_bench.submission.version_2 import ArchivedMeta as Meta
from ilp_bench.submission.version_2 import ArchivedSubmission as Submission
from ilp_bench.submission.version_2 import submit

BASES = ("synthetic-llama", "synthetic-qwen3", "synthetic-olmo2")
VANILLA = dict(zip(CAUSES.names(), (0.62, 0.42, 0.55, 0.10, 0.34), strict=True))  # treated learned rate
CONTROL = dict(zip(CAUSES.names(), (0.95, 0.66, 0.95, 0.78, 0.93), strict=True))
KNOWN_CONTROLS = ("knowledge_gap", "knowledge_conflict")  # causes whose control items the base models know
REPAIRS: dict[str, tuple[float, float, float, float, float]] = {  # share of the gap closed, cause by cause
    "combined": (0.85, 0.50, 0.70, 0.75, 0.80),
    "auto": (0.70, 0.35, 0.60, 0.78, 0.55),
    "resampling": (0.00, 0.05, 0.02, 0.82, 0.05),
    "knowledge_cpt": (0.88, 0.10, 0.00, 0.06, -0.02),
    "conflict_cpt": (0.05, 0.62, 0.00, 0.03, 0.00),
    "conflict_buckets": (0.02, 0.00, 0.78, 0.00, 0.03),
    "delete_only": (0.00, 0.02, 0.55, 0.01, 0.00),
    "group_only": (0.00, 0.00, 0.34, 0.02, 0.02),
    "rare_upsampling": (0.01, -0.04, 0.00, 0.00, 0.74),
    "progressive_epochs": (0.08, 0.12, 0.05, -0.05, 0.42),
    "more_epochs": (0.10, 0.15, 0.06, -0.20, 0.30),
    "vanilla": (0.0, 0.0, 0.0, 0.0, 0.0),
}


def _samples(data: Dataset, rates: dict[tuple[str, str], float], seed: int, *, base: bool = False) -> pa.Table:
    """Samples whose learned rates scatter around ``rates`` of (cause, arm); hard items are the same for every seed."""
    rows = data.items.select([*KEPT]).to_pydict()
    size = data.items.num_rows
    doses = np.nan_to_num(np.array(rows["dose"], dtype=float), nan=1.0)
    rare, treated = np.array(rows["cause"]) == "rare_patterns", np.array(rows["arm"]) == "treated"
    push = np.where(rare, 0.6 * (np.log2(np.maximum(doses, 1)) - 1), -0.8 * (doses - 1)) * treated
    luck = np.random.default_rng(1).normal(0, 1.1, size) + np.random.default_rng(seed).normal(0, 0.5, size)
    mean = np.array([rates.get(key, 0.9) for key in zip(rows["cause"], rows["arm"], strict=True)])
    mean = np.clip(mean - 0.12 * (np.array(rows["probe"]) == "paraphrase"), 0.005, 0.995)
    learned = 1 / (1 + np.exp(-(1.6 * np.log(mean / (1 - mean)) + push + luck)))
    logprob = np.log(np.clip(1 - (1 - learned) ** 0.2, 1e-9, 1.0))
    p = np.exp(logprob)
    known = np.isin(np.array(rows["cause"]), KNOWN_CONTROLS) & (np.array(rows["arm"]) == "control")
    probed = np.array([base and kind != "paraphrase" for kind in rows["probe"]])
    choices = data.items["choices"].to_pylist()
    told = [
        _belief(options, prior) if base and kind == "recall" and prior else None
        for options, prior, kind in zip(choices, rows["prior_answer"], rows["probe"], strict=True)
    ]
    blank = pa.nulls(size)
    columns: dict[str, Any] = rows | {
        "tokens": np.full(size, 2, dtype=np.int32),
        "logprob": logprob,
        "p": p,
        "greedy": p > 0.5,
        "shots_p": pa.array(np.where(known, 0.9, 0.0), mask=~probed),
        "shots_greedy": pa.array(known, mask=~probed),
        "belief": pa.array([one and one[0] for one in told], pa.string()),
        "belief_p": pa.array([one and one[1] for one in told], pa.float64()),
        "shots_options": pa.array([one and one[2] for one in told], pa.list_(pa.float64())),
    }
    return pa.table(
        [pa.array(columns[f.name], f.type) if f.name in columns else blank.cast(f.type) for f in SAMPLES], SAMPLES
    )


def _belief(options: list[str], prior: str) -> tuple[str, float, list[float]]:
    """A base model that prefers the old answer: its belief, its share, and the log-probabilities of the options."""
    scores = [-0.2 if option == prior else -3.0 for option in options]
    return prior, float(np.exp(-0.2) / np.exp(scores).sum()), scores


def _run(data: Dataset, base: str, recipe: str | None, samples: pa.Table, number: int, seed: int = 0) -> Run:
    sha = f"{BASES.index(base) + 10:064x}"
    training = None
    if recipe:
        extra = {"cpt": 30_000} if recipe in ("knowledge_cpt", "conflict_cpt", "combined", "auto") else {}
        sft = 40_000 * (5 if recipe == "more_epochs" else 1)
        training = {"recipe": recipe, "base": {"name": base, "revision": None, "weights_sha256": sha}, "seed": seed}
        training |= {"tokens": {"sft": sft} | extra}
    named = {"name": base, "weights_sha256": f"{number:064x}" if recipe else sha}
    model = named | {"architecture": "Synthetic", "parameters": 1_000_000}
    versions = {"torch": "0.0-synthetic"}
    made = record(data, recipe, model=model, training=training, versions=versions, hardware="synthetic: nothing ran")
    sha = hashlib.sha256(samples["logprob"].to_numpy().tobytes()).hexdigest()
    return Run(RunRecord(**made, samples_sha256=sha), samples)


def make_submissions(out: Path, count: int, start: int = 0) -> list[Path]:
    """Write ``count`` synthetic submissions below ``out``, from number ``start`` on; returns their folders.

    The first base model has three training seeds, two of the recipes are open; the others have one, and are open.
    """
    data, numbers, made, models = make("mini", 0), counter(100), [], []
    for at in range(start, min(start + count, len(BASES) * len(REPAIRS))):
        base, recipe = BASES[at // len(REPAIRS)], list(REPAIRS)[at % len(REPAIRS)]
        plain = _plain(base)
        lifted = dict(plain)
        for cause, share in zip(CAUSES.names(), REPAIRS[recipe], strict=True):
            low, high = plain[cause, "treated"], plain[cause, "control"]
            lifted[cause, "treated"] = float(np.clip(low + share * (high - low), 0.01, 0.99))
        first = _run(data, base, None, _samples(data, dict.fromkeys(plain, 0.01), 3, base=True), 0)
        replicates = []
        for seed in range(3 if base == BASES[0] else 1):
            vanilla = _run(data, base, "vanilla", _samples(data, plain, 7 + seed), 7 + seed, seed)
            done = vanilla
            if recipe != "vanilla":
                number = next(numbers)
                done = _run(data, base, recipe, _samples(data, lifted, number), number, seed)
            replicates.append(Runs(done, vanilla, first))
        closed = base == BASES[0] and recipe not in ("more_epochs", "auto")
        name = f"{base.removeprefix('synthetic-')}-{recipe.replace('_', '-')}"
        about = f"Synthetic numbers that show what a page with recipe {recipe} looks like; nothing was trained."
        meta = Meta(org="synthetic", model=name, division="closed" if closed else "open", description=about)
        made.append(submit(replicates, meta, out))
        models.append(name)
    for at in range(len(made), count):
        made.append(_copy(made[at % len(models)], out, f"{models[at % len(models)]}-{at:04d}"))
    return made


def _plain(base: str) -> dict[tuple[str, str], float]:
    """Learned rates under vanilla; the last base model does not express the conflict."""
    weak = 1 - 0.12 * BASES.index(base)
    found = {(cause, "treated"): weak * VANILLA[cause] for cause in CAUSES.names()}
    found |= {(cause, "control"): CONTROL[cause] for cause in CAUSES.names()}
    if base == BASES[2]:
        found["knowledge_conflict", "treated"] = CONTROL["knowledge_conflict"]
    return found


HOSTILE = '<script>alert(1)</script> & "quotes"'


def furnish(out: Path) -> None:
    """Give some submissions what others would add: a re-run, a withdrawal, an acceptance, hostile texts."""
    place = {folder.parent.name.removeprefix("synthetic__"): folder for folder in out.glob("*/*") if folder.is_dir()}
    auto = Submission.model_validate(json.loads((place["llama-auto"] / "submission.json").read_text()))
    claimed = {one.cause: one.recovery and one.recovery.value for one in auto.scores.causes}
    public = Public(status="agrees", tolerance=0.01, largest_difference=2e-5, claimed=claimed, scores=claimed)
    unseen = Unseen(status="agrees", how="generalisation only", seed=77, pairs=360)
    about = {"ilp_bench": "0.1.0", "versions": {}, "hardware": "synthetic"}
    record = Verification(by="maintainer", date="2026-11-20", **about, public=public, unseen=unseen)
    add_verification(place["llama-auto"], record)
    for name, decision, reason in (
        ("llama-combined", "accepted", "all figures recomputed"),
        ("llama-delete-only", "withdrawn", f"trained on the probes {HOSTILE}"),
    ):
        folder = place[name]
        entry, date = f"{folder.parent.name}/{folder.name}", f"2026-11-2{len(decision) % 10}"
        one = Decision(run_id=folder.name, entry=entry, decision=decision, reason=reason, date=date, by="maintainer")
        decide(out, one)
    folder = place["llama-vanilla"] if "llama-vanilla" in place else next(iter(place.values()))
    _copy(folder, out, "hostile", description=HOSTILE)


def _copy(folder: Path, out: Path, model: str, description: str = "") -> Path:
    """The same results under another name."""
    found = Submission.model_validate(json.loads((folder / "submission.json").read_text()))
    found.meta.model = model
    found.meta.description = description or found.meta.description
    found.run_id = "0" * 16
    found.run_id = run_id(found.model_dump(mode="json"))
    place = out / found.folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "submission.json").write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(folder / "samples.parquet", place / "samples.parquet")
    return place


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, default=Path(tempfile.gettempdir()), nargs="?")
    parser.add_argument("--count", type=int, default=12)
    given = parser.parse_args()
    print(f"{given.out}: {len(make_submissions(given.out, given.count))} synthetic submissions")
