"""Recovery: the share of the gap that a cause leaves under vanilla fine-tuning, and that a submission closes.

recovery_c = (L(treated, s) - L(treated, v)) / (L(control, v) - L(treated, v))

L is the mean over items of the mean ``learned`` of the item's probes. Intervals are 95 % percentile intervals of
a paired bootstrap over matched pairs. Undefined is ``None``, never a default. Pure: no torch, no model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from ilp_bench.causes import CAUSE_NAMES
from ilp_bench.errors import ProblemError
from ilp_bench.estimate import Array, learned
from ilp_bench.record import Run

SCORER_VERSION = 1
DRAWS, SEED, LEVEL = 10_000, 20_260, 0.95
PROBES = ("recall", "paraphrase")


class Interval(BaseModel):
    """A value with its 95 % bootstrap interval."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float
    high: float


class Rates(BaseModel):
    """Learned rates of both arms, in [0, 1]; recall alone is incomplete learning in the strict sense."""

    model_config = ConfigDict(extra="forbid")

    treated: float
    control: float
    treated_recall: float
    control_recall: float


class Dose(BaseModel):
    """One point of the dose curve: treated and control learned rates of the pairs at that dose."""

    model_config = ConfigDict(extra="forbid")

    dose: float
    pairs: int
    vanilla: float
    submission: float
    control: float


class CauseScore(BaseModel):
    """Everything about one cause. ``recovery`` is None where the cause is not expressed on this base model."""

    model_config = ConfigDict(extra="forbid")

    cause: str
    pairs: int
    active_pairs: int | None
    expressed: bool
    gap: Interval
    base: Rates | None
    vanilla: Rates
    submission: Rates
    recovery: Interval | None
    recovery_recall: float | None
    recovery_paraphrase: float | None
    recovery_all_pairs: float | None
    regressions: int
    doses: list[Dose]


class Scores(BaseModel):
    """The scores of one submission against vanilla on the same base model."""

    model_config = ConfigDict(extra="forbid")

    scorer_version: int = SCORER_VERSION
    causes: list[CauseScore]
    overall: Interval | None
    aggregate: dict[str, float]
    worst: dict[str, float | str]
    retention: dict[str, float | None]
    activity_known: bool


class Arms:
    """Learned rates of one run per probe kind: cause -> (pairs, 2, probes) with treated first."""

    def __init__(self, samples: pa.Table) -> None:
        rows = [row for row in samples.to_pylist() if row["cause"] is not None]
        values = learned(np.minimum([row["p"] for row in rows], 1.0))
        cells: dict[str, dict[str, dict[tuple[str, str], list[float]]]] = {name: {} for name in CAUSE_NAMES}
        self.dose: dict[str, dict[str, float]] = {name: {} for name in CAUSE_NAMES}
        for row, value in zip(rows, values, strict=True):
            pair = cells[row["cause"]].setdefault(row["pair_id"], {})
            pair.setdefault((row["arm"], row["probe"]), []).append(float(value))
            if row["arm"] == "treated":
                self.dose[row["cause"]][row["pair_id"]] = row["dose"]
        self.cells = cells

    def pairs(self, cause: str) -> list[str]:
        """Pair ids, sorted."""
        return sorted(self.cells[cause])

    def matrix(self, cause: str, pairs: list[str], probes: tuple[str, ...] = PROBES) -> Array:
        """Shape (pairs, 2): mean learned rate of the treated and of the control item over the given probes."""
        return np.array(
            [
                [
                    np.mean([v for probe in probes for v in self.cells[cause][pair][arm, probe]])
                    for arm in ("treated", "control")
                ]
                for pair in pairs
            ]
        ).reshape(-1, 2)


def active_pairs(base: Run) -> dict[str, set[str]]:
    """Pairs whose cause can act on this base model, read from its probe with examples shown.

    Gap: the control is known and the treated item is not. Conflict: the old answer is the preferred option. The
    other causes: all. Raises ProblemError when the base run was made without the probe.
    """
    if not base.record.probed:
        raise ProblemError("the base run has no knowledge probe: evaluate the base model with --probe-base")
    active: dict[str, set[str]] = {name: set() for name in CAUSE_NAMES}
    known: dict[str, dict[str, bool]] = {}
    for row in base.samples.to_pylist():
        if row["probe"] != "recall":
            continue
        cause, pair = row["cause"], row["pair_id"]
        if cause == "knowledge_gap":
            known.setdefault(pair, {})[row["arm"]] = bool(row["shots_greedy"])
        elif cause == "knowledge_conflict":
            if row["arm"] == "treated" and row["belief"] == row["prior_answer"]:
                active[cause].add(pair)
        else:
            active[cause].add(pair)
    active["knowledge_gap"] = {pair for pair, arms in known.items() if arms["control"] and not arms["treated"]}
    return active


def score(submission: Run, vanilla: Run, base: Run | None = None) -> Scores:
    """Score a run against vanilla on the same data. Raises ProblemError when the runs do not belong together."""
    check_comparable(submission, vanilla, base)
    active = active_pairs(base) if base else None
    arms = {"vanilla": Arms(vanilla.samples), "submission": Arms(submission.samples)}
    if base:
        arms["base"] = Arms(base.samples)
    scores, draws = [], []
    for number, cause in enumerate(CAUSE_NAMES):
        if not arms["vanilla"].pairs(cause):
            continue  # a controlled set of some causes
        found, drawn = _score_cause(cause, arms, active, np.random.default_rng([SEED, number]))
        scores.append(found)
        draws.append(drawn)
    return Scores(
        causes=scores,
        overall=_overall(scores, draws) if len(scores) == len(CAUSE_NAMES) else None,
        aggregate={name: _aggregate(scores, name) for name in ("vanilla", "submission")},
        worst=_worst(scores),
        retention={
            name: _retention(run) for name, run in (("base", base), ("vanilla", vanilla), ("submission", submission))
        },
        activity_known=active is not None,
    )


def check_comparable(submission: Run, vanilla: Run, base: Run | None) -> None:
    """Raise ProblemError unless all runs asked the same probes in one format, and share the base model."""
    for what, other in (("submitted", submission), ("vanilla", vanilla), ("base", base)):
        if other is None:
            continue
        if other.record.protocol != "exact":
            raise ProblemError(f"the {what} run was sampled, which checks p and is not scored: evaluate without it")
        if other.record.data != submission.record.data:
            raise ProblemError(f"the {what} run was measured on other data: evaluate both on the same dataset")
        if other.record.prompt_format != submission.record.prompt_format:
            raise ProblemError(f"the {what} run used another prompt format: evaluate all with or all without --chat")
        if sorted(other.samples["probe_id"].to_pylist()) != sorted(submission.samples["probe_id"].to_pylist()):
            raise ProblemError(f"the {what} run has other probes: evaluate again")
    trained = (vanilla.record.training or {}).get("recipe")
    if trained is not None and trained != "vanilla":
        raise ProblemError(f"the run given as vanilla was trained with recipe {trained!r}")
    bases = {
        run.record.training["base"]["weights_sha256"]
        for run in (submission, vanilla)
        if run.record.training and "base" in run.record.training
    }
    if base:
        bases.add(base.record.model.weights_sha256)
    if len(bases) > 1:
        raise ProblemError("the runs start from different base models: score each against vanilla on its own base")


def recovery(treated: Array, vanilla: Array, control: Array) -> Array:
    """Elementwise (treated - vanilla) / (control - vanilla); NaN where the gap is not positive."""
    gap = control - vanilla
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap > 0, (treated - vanilla) / gap, np.nan)


def _score_cause(
    cause: str, arms: dict[str, Arms], active: dict[str, set[str]] | None, rng: np.random.Generator
) -> tuple[CauseScore, Array]:
    everything = arms["vanilla"].pairs(cause)
    pairs = [pair for pair in everything if active is None or pair in active[cause]]
    if not pairs:
        pairs, usable = everything, False
    else:
        usable = True
    v, s = (arms[name].matrix(cause, pairs) for name in ("vanilla", "submission"))
    weights = rng.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), size=DRAWS) / len(pairs)
    table = weights @ np.column_stack([s[:, 0], v[:, 0], v[:, 1]])
    gap = _interval(float((v[:, 1] - v[:, 0]).mean()), table[:, 2] - table[:, 1])
    expressed = usable and gap.low > 0
    drawn = recovery(table[:, 0], table[:, 1], table[:, 2])
    value = _point(v, s)
    result = CauseScore(
        cause=cause,
        pairs=len(everything),
        active_pairs=None if active is None else len(active[cause]),
        expressed=expressed,
        gap=gap,
        base=_rates(arms["base"], cause, pairs) if "base" in arms else None,
        vanilla=_rates(arms["vanilla"], cause, pairs),
        submission=_rates(arms["submission"], cause, pairs),
        recovery=_interval(value, drawn) if expressed and value is not None else None,
        recovery_recall=_by_probe(arms, cause, pairs, ("recall",)) if expressed else None,
        recovery_paraphrase=_by_probe(arms, cause, pairs, ("paraphrase",)) if expressed else None,
        recovery_all_pairs=_by_probe(arms, cause, everything, PROBES) if expressed else None,
        regressions=int(((v[:, 0] >= 0.5) & (s[:, 0] < 0.5)).sum() + ((v[:, 1] >= 0.5) & (s[:, 1] < 0.5)).sum()),
        doses=_doses(arms, cause, pairs),
    )
    return result, drawn


def _point(v: Array, s: Array) -> float | None:
    found = float(recovery(s[:, 0].mean(), v[:, 0].mean(), v[:, 1].mean()))
    return None if math.isnan(found) else found


def _by_probe(arms: dict[str, Arms], cause: str, pairs: list[str], probes: tuple[str, ...]) -> float | None:
    return _point(arms["vanilla"].matrix(cause, pairs, probes), arms["submission"].matrix(cause, pairs, probes))


def _interval(value: float, draws: Array) -> Interval:
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value, low=float(low), high=float(high))


def _rates(arms: Arms, cause: str, pairs: list[str]) -> Rates:
    both, recall = arms.matrix(cause, pairs).mean(axis=0), arms.matrix(cause, pairs, ("recall",)).mean(axis=0)
    return Rates(
        treated=float(both[0]), control=float(both[1]), treated_recall=float(recall[0]), control_recall=float(recall[1])
    )


def _doses(arms: dict[str, Arms], cause: str, pairs: list[str]) -> list[Dose]:
    dose = arms["vanilla"].dose[cause]
    found = []
    for level in sorted({dose[pair] for pair in pairs if dose[pair] is not None and not math.isnan(dose[pair])}):
        here = [pair for pair in pairs if dose[pair] == level]
        v, s = (arms[name].matrix(cause, here).mean(axis=0) for name in ("vanilla", "submission"))
        found.append(
            Dose(dose=level, pairs=len(here), vanilla=float(v[0]), submission=float(s[0]), control=float(v[1]))
        )
    return found


def _overall(scores: list[CauseScore], draws: list[Array]) -> Interval | None:
    """Mean of the five recoveries, each clipped to [-1, 1]; None unless all five are defined."""
    if any(cause.recovery is None for cause in scores):
        return None
    value = float(np.mean([np.clip(cause.recovery.value, -1, 1) for cause in scores if cause.recovery]))
    return _interval(value, np.clip(np.stack(draws), -1, 1).mean(axis=0))


def _aggregate(scores: list[CauseScore], name: str) -> float:
    """What an average shows: the learned rate over all items of both arms."""
    return float(np.mean([[getattr(cause, name).treated, getattr(cause, name).control] for cause in scores]))


def _worst(scores: list[CauseScore]) -> dict[str, float | str]:
    """What the average hides: the lowest treated learned rate of the submission."""
    worst = min(scores, key=lambda cause: cause.submission.treated)
    return {"cause": worst.cause, "treated": worst.submission.treated}


def _retention(run: Run | None) -> float | None:
    """Learned rate of known facts outside the training set; an untuned model is asked with examples shown."""
    if run is None:
        return None
    rows: list[dict[str, Any]] = [row for row in run.samples.to_pylist() if row["probe"] == "retention"]
    p = [row["shots_p"] if run.untuned and row["shots_p"] is not None else row["p"] for row in rows]
    return float(learned(np.minimum(p, 1.0)).mean()) if p else None
