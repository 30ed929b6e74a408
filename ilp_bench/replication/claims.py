"""The paper's claims C1 to C8 (Xue et al. 2026), tested on reference submissions. Pure: reads submissions alone.

A claim is a list of effects that must each lie on the right side of a bound. Reproduced: the 95 % intervals of all
effects do. Contradicted: one lies wholly on the wrong side. Not reproduced: neither. Not testable: a recipe it needs
is missing, or the cause is not expressed on this base model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Run
from ilp_bench.replication.reference_runs import Family, NotTestableError, Pool
from ilp_bench.scoring.bootstrap import Interval, interval, resampled
from ilp_bench.scoring.learned_rates import learned_probes

SMALL = 0.1  # share of a gap below which it counts as not repaired
RESOLVED = 0.5  # share of a gap from which on it counts as resolved
INTERVENTIONS = ("knowledge_cpt", "conflict_cpt", "conflict_buckets", "resampling", "progressive_epochs")  # the paper's


class Effect(NamedTuple):
    """A measured effect that a claim rests on; ``sign`` says on which side of ``bound`` it must lie."""

    name: str
    interval: Interval
    sign: int = 1
    bound: float = 0.0

    @property
    def holds(self) -> bool:
        """The whole interval is on the right side."""
        return self.interval.low > self.bound if self.sign > 0 else self.interval.high < self.bound

    @property
    def opposed(self) -> bool:
        """The whole interval is on the wrong side."""
        return self.interval.high < self.bound if self.sign > 0 else self.interval.low > self.bound


class Claim(NamedTuple):
    """A claim, the paper's figures, and what was measured; without effects, ``why`` says what is missing.

    ``recipes`` are those whose runs it rests on, beside vanilla.
    """

    name: str
    text: str
    paper: str
    effects: list[Effect]
    why: str = ""
    recipes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One of four words."""
        if not self.effects:
            return "not testable here"
        if all(effect.holds for effect in self.effects):
            return "reproduced"
        return "contradicted" if any(effect.opposed for effect in self.effects) else "not reproduced"


def claims(family: Family) -> list[Claim]:
    """The eight claims, in order."""
    return [_claim(family, *one) for one in CLAIMS]


def _claim(
    family: Family, name: str, text: str, paper: str, recipes: str, test: Callable[[Family], list[Effect]]
) -> Claim:
    used = tuple(recipes.split())
    try:
        return Claim(name, text, paper, test(family), recipes=used)
    except NotTestableError as missing:
        return Claim(name, text, paper, [], str(missing), used)


def _recovers(family: Family, recipe: str, cause: str) -> list[Effect]:
    value, drawn = Pool(family, [recipe]).draws(cause)
    return [Effect(f"recovery of {recipe} on {cause}", interval(float(value[0]), drawn[:, 0]))]


def _better(family: Family, recipe: str, other: str, cause: str) -> Effect:
    value, drawn = Pool(family, [recipe, other]).draws(cause)
    effect = interval(float(value[0] - value[1]), drawn[:, 0] - drawn[:, 1])
    return Effect(f"{recipe} minus {other} on {cause}", effect)


def _gap(family: Family) -> list[Effect]:
    more = _recovers(family, "more_epochs", "knowledge_gap")[0]
    return [
        *_recovers(family, "knowledge_cpt", "knowledge_gap"),
        _better(family, "knowledge_cpt", "more_epochs", "knowledge_gap"),
        more._replace(sign=-1, bound=SMALL),
    ]


def _buckets(family: Family) -> list[Effect]:
    return [_better(family, "conflict_buckets", other, "data_inconsistency") for other in ("delete_only", "group_only")]


def _earliest(family: Family) -> list[Effect]:
    """Under vanilla, learned in the latest early stage minus learned in the earliest; what resampling recovers."""
    vanilla, _ = Pool(family, ["resampling"]).columns("left_side_forgetting")
    near, far = (vanilla.dose == level for level in (np.nanmin(vanilla.dose), np.nanmax(vanilla.dose)))
    rate = vanilla.both[:, 0]
    drawn = resampled("left_side_forgetting", np.column_stack([rate * near, near, rate * far, far]).astype(float))
    effect = interval(
        float(rate[near].mean() - rate[far].mean()), drawn[:, 0] / drawn[:, 1] - drawn[:, 2] / drawn[:, 3]
    )
    left_side = Effect("learned under vanilla, latest of the early stages minus the earliest", effect)
    return [left_side, *_recovers(family, "resampling", "left_side_forgetting")]


def _forgets(family: Family) -> list[Effect]:
    """Held-out fact retention of knowledge_cpt minus that of vanilla, paired over the probes."""
    pool = Pool(family, ["knowledge_cpt"])
    rates = [[_retained(run) for run in (one.submission, one.vanilla)] for one in pool.first]
    table = np.concatenate([np.column_stack(pair) for pair in rates])
    drawn = resampled("held_out_facts", table)
    effect = interval(float(table[:, 0].mean() - table[:, 1].mean()), drawn[:, 0] - drawn[:, 1])
    return [Effect("retention of knowledge_cpt minus vanilla", effect, -1)]


def _retained(run: Run) -> Array:
    rows = run.samples.filter(np.array(run.samples["probe"]) == "retention").sort_by("probe_id")
    return learned_probes(rows["p"])


def _hides(family: Family) -> list[Effect]:
    """No single recipe resolves all causes; and the average of vanilla lies above its worst cause."""
    single = [name for name in family if name not in ("vanilla", "combined", "auto", "more_epochs")]
    pool = Pool(family, list(dict.fromkeys([*single, *INTERVENTIONS])))
    values, draws = zip(*(pool.draws(cause) for cause in CAUSES.names()), strict=True)
    best = interval(float(np.min(values, axis=0).max()), np.min(draws, axis=0).max(axis=1))
    both = [pool.columns(cause)[0].both for cause in CAUSES.names()]
    means = np.array([one.mean(axis=0) for one in both])
    drawn = np.stack([resampled(name, one) for name, one in zip(CAUSES.names(), both, strict=True)])
    hidden = interval(float(means.mean() - means[:, 0].min()), drawn.mean(axis=(0, 2)) - drawn[:, :, 0].min(axis=0))
    return [
        Effect("least recovery over the causes, of the single recipe that has most of it", best, -1, RESOLVED),
        Effect("average learned under vanilla minus its worst cause", hidden),
    ]


def _scale(family: Family) -> list[Effect]:
    raise NotTestableError("it takes two sizes of one model family")


CLAIMS: tuple[tuple[str, str, str, str, Callable[[Family], list[Effect]]], ...] = (
    ("C1", "more epochs do not repair a knowledge gap, continued pre-training does",
     "learn rate 65.3 to 66.8 (2 to 10 epochs), 82.1 with CPT (table 4)", "knowledge_cpt more_epochs", _gap),
    ("C2", "continued pre-training lowers conflict", "12.3 to 8.8 % (table 6)", "conflict_cpt",
     lambda family: _recovers(family, "conflict_cpt", "knowledge_conflict")),
    ("C3", "detecting and bucketing beats only deleting or only grouping",
     "+2.8 against +1.5 and +2.2 points (table 8)", "conflict_buckets delete_only group_only", _buckets),
    ("C4", "the earliest data suffer most; shuffling with resampling repairs it",
     "ROUGE-L of the first 10 %: 0.41 to 0.53 (table 11)", "resampling", _earliest),
    ("C5", "adaptive epochs repair under-learned patterns", "88.2 to 90.1 (table 2)", "progressive_epochs",
     lambda family: _recovers(family, "progressive_epochs", "rare_patterns")),
    ("C6", "continued pre-training costs general ability", "MMLU -3.5, GPQA -6.8 (table 14)", "knowledge_cpt",
     _forgets),
    ("C7", "no single intervention resolves all causes; averages hide the unlearned", "throughout",
     " ".join(INTERVENTIONS), _hides),
    ("C8", "scale hardly helps", "1.8B to 14B: 2.1 points", "", _scale),
)  # fmt: skip
