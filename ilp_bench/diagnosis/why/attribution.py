"""Why is an item not learned? From signals to a cause; and, where the causes are known, how often that is right.

An item counts with its chance of being unlearned, 1 - learned: summed, that is the expected number of items of which
five sampled answers hold no right one (Xue et al. 2026, section 3.1.4). The truth of a treated item is its cause; a
control that is not learned has none, and saying one is a false alarm. As in the score, pairs count on which the cause
can act with this base model: a label that contradicts what it never believed is no conflict, and a control that it does
not know is a gap itself. Nothing is fitted: every dataset is unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.similarity import Encoder
from ilp_bench.detectors.thresholds import BEST_OF_5, CONFIDENT, DIVERGED, KNOWN, STAGE_DROP
from ilp_bench.diagnosis.why.paraphrases import disputes_of
from ilp_bench.diagnosis.why.signals import Signals, signals
from ilp_bench.diagnosis.why.signs import SIGNS
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.bootstrap import Interval, interval, resampled
from ilp_bench.scoring.learned_rates import active_pairs

NONE = "none"


def labels() -> tuple[str, ...]:
    """What an item can be attributed to: a cause, or none."""
    return (*CAUSES.names(), NONE)


Rule = Callable[[Signals], str]


def by_signals(item: Signals) -> str:
    """Ours. The cause of the first sign that the item has, from the surest to the vaguest."""
    return next((sign.cause for sign in SIGNS if sign.holds(item)), NONE)


def by_paper(item: Signals) -> str:
    """The paper's signals with its thresholds, in its order (section 3.2), as we read it.

    Conflict comes first, because its items fail the test for missing knowledge too. Where no options were asked, the
    tests on them (BoN-5, divergence) are left out.
    """
    if item.denied > CONFIDENT and (item.divergence is None or item.divergence > DIVERGED):
        return "knowledge_conflict"
    if item.known < KNOWN and (item.best_of_5 is None or item.best_of_5 < BEST_OF_5):
        return "knowledge_gap"
    if item.contradicted > 0:
        return "data_inconsistency"
    if item.fallen > STAGE_DROP:
        return "left_side_forgetting"
    return "rare_patterns" if item.rarity > 1 else NONE


def by_rows(item: Signals) -> str:
    """The baseline that asks no model: contradicting labels, rare patterns, early stages, as the training rows show.

    It names a cause for whatever has its sign, learned or not, and can name neither a gap nor a conflict.
    """
    if item.contradicted > 0:
        return "data_inconsistency"
    if item.rarity > 1:
        return "rare_patterns"
    return NONE if item.in_last_segment else "left_side_forgetting"


ROWS = "rows"  # the method that asks no model
METHODS: Mapping[str, Rule] = {"signals": by_signals, "paper": by_paper, ROWS: by_rows}


class Quality(NamedTuple):
    """How well a method attributes: ``confusion``[truth][said] in expected unlearned items; F1 by cause.

    ``macro_f1``: mean F1 of the causes that are there, with a paired bootstrap over items; None where nothing is
    unlearned.
    """

    confusion: dict[str, dict[str, float]]
    f1: dict[str, float | None]
    macro_f1: Interval | None


class Decoys(NamedTuple):
    """Items that carry the sign of a cause and were made to be learned: how many were asked and are reported.

    ``named``: method -> expected number that it gives a cause. Methods that ask the tuned model report what is not
    learned, so a decoy counts with its chance of being unlearned; rows alone cannot tell, and all with a sign count.
    """

    asked: int
    named: dict[str, float]


class Diagnosis(NamedTuple):
    """``items``: signals of what is attributed; ``said``: method -> cause of each item; ``truth``: its true cause.

    ``asked_all``: whether the base model was asked options of every item. Where it was asked only where there is an
    old answer, that alone gives conflicts away, and the quality is not that on data of one's own. On rows of one's own
    nothing is known: no truth, no quality. ``decoys`` is None where none was asked.
    """

    items: list[Signals]
    truth: list[str] | None
    said: dict[str, list[str]]
    quality: dict[str, Quality]
    asked_all: bool
    decoys: Decoys | None = None

    @property
    def unlearned(self) -> float:
        """Expected number of unlearned items."""
        return float(sum(1 - item.learned for item in self.items))


def diagnose(run: Run, base: Run, data: Dataset, encoder: Encoder | None = None) -> Diagnosis:
    """Attribute trained items by each method, and score the methods.

    encoder   says which questions ask the same where their words do not

    Of a controlled dataset, the items of pairs; decoys are reported beside them.

    Raises ProblemError as :func:`~ilp_bench.diagnosis.why.signals.signals` does.
    """
    asked = signals(run, base, data, disputes=disputes_of(data.train_rows(), encoder=encoder))
    rows = list(data.item_rows())
    paired = {row["item_id"] for row in rows if row["pair_id"] or data.is_user_data}
    items = [item for item in asked if item.item_id in paired]
    said = {method: [rule(item) for item in items] for method, rule in METHODS.items()}
    if data.is_user_data:
        return Diagnosis(items, None, said, {}, asked_all=True)
    label_of = {row["item_id"]: row["cause"] if row["arm"] == "treated" else NONE for row in rows}
    truth = [label_of[item.item_id] or NONE for item in items]
    active = frozenset[str]().union(*active_pairs(base).values())
    can_act = {row["item_id"]: row["pair_id"] in active for row in rows}
    weights = np.array([(1 - item.learned) * can_act[item.item_id] for item in items])
    quality = {method: attribution_quality(truth, attributed, weights) for method, attributed in said.items()}
    are_decoys = {row["item_id"] for row in rows if row["arm"] == "decoy"}
    decoys = _decoys([item for item in asked if item.item_id in are_decoys])
    return Diagnosis(items, truth, said, quality, base.record.choices > 0, decoys)


def _decoys(items: Sequence[Signals]) -> Decoys | None:
    if not items:
        return None
    named: dict[str, float] = {}
    for method, rule in METHODS.items():
        reported = [1.0 if method == ROWS else 1 - item.learned for item in items if rule(item) != NONE]
        named[method] = float(sum(reported))
    return Decoys(len(items), named)


def attribution_quality(truth: Sequence[str], said: Sequence[str], weights: Array) -> Quality:
    """How well ``said`` agrees with ``truth``, labels of items that count with ``weights``, each in [0, 1]."""
    names = labels()
    index = {label: n for n, label in enumerate(names)}
    cells = np.zeros((len(truth), len(names), len(names)))
    rows, columns = ([index[label] for label in column] for column in (truth, said))
    cells[np.arange(len(truth)), rows, columns] = weights
    confusion = cells.sum(axis=0)
    present = [n for n in range(len(CAUSES)) if confusion[n].sum() > 0]
    f1 = _f1(confusion[None])[0]
    by_cause = {name: float(f1[n]) if n in present else None for n, name in enumerate(CAUSES.names())}
    macro = None
    if present:
        draws = resampled("attribution", cells.reshape(len(truth), -1)).reshape(-1, len(names), len(names))
        macro = interval(float(f1[present].mean()), _f1(draws)[:, present].mean(axis=1))
    table = {true: dict(zip(names, confusion[n].tolist(), strict=True)) for n, true in enumerate(names)}
    return Quality(table, by_cause, macro)


def _f1(confusion: Array) -> Array:
    """F1 of each label, shape (tables, labels), of confusions with shape (tables, truth, said); 0 for none right."""
    right = np.diagonal(confusion, axis1=1, axis2=2)
    total = confusion.sum(axis=1) + confusion.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 2 * right / total, 0.0)
