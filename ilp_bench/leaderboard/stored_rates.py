"""Learned rates pair by pair, as a page stores them: what paired differences are made of, there as well as here.

A pair has a rate in each of four conditions: treated and control, under the submission and under its vanilla. They are
stored in 16 bits, and everything that the site computes, it computes from the stored values, so that a page made from a
cache has the same bytes as one made from the samples.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Runs
from ilp_bench.scoring.learned_rates import active_pairs, mean, pair_rates

STORED_ONE = 65_535  # what a rate of 1 is stored as


class Conditions(NamedTuple):
    """One thing for each condition, in the order in which rates are stored."""

    treated: Array
    control: Array
    vanilla_treated: Array
    vanilla_control: Array


CONTROL = Conditions._fields.index("control")


@dataclass(frozen=True)
class StoredRates:
    """Rates of all pairs, sorted by dataset, cause and id.

    spans   for each cause of each dataset, its name and where its pairs start and end
    active  shape (pairs,): which pairs count, because their cause can act on the base model
    values  shape (4, pairs): the conditions, in units of 1 / ``STORED_ONE``
    layout  hash of what ``spans`` and ``active`` say and of the datasets: the same where rates can be compared
    """

    spans: tuple[tuple[str, int, int], ...]
    active: np.ndarray[Any, np.dtype[np.bool_]]
    values: np.ndarray[Any, np.dtype[np.uint16]]
    layout: str

    @property
    def rates(self) -> Conditions:
        """Rates in [0, 1] by condition, each of shape (pairs,)."""
        return Conditions(*np.asarray(self.values / STORED_ONE, dtype=np.float64))

    def to_json(self) -> dict[str, Any]:
        """For the entry's data file."""
        return {
            "layout": self.layout,
            "spans": [list(span) for span in self.spans],
            "active": "".join("1" if active else "0" for active in self.active),
            "rates": base64.b64encode(self.values.astype("<u2").tobytes()).decode(),
        }


def from_json(data: dict[str, Any]) -> StoredRates:
    """Back from :meth:`StoredRates.to_json`."""
    stored = np.frombuffer(base64.b64decode(data["rates"]), dtype="<u2").reshape(len(Conditions._fields), -1)
    active = np.array([flag == "1" for flag in data["active"]])
    spans = tuple((str(cause), int(start), int(end)) for cause, start, end in data["spans"])
    return StoredRates(spans, active, stored.astype(np.uint16), data["layout"])


def from_replicates(replicates: Sequence[Runs]) -> StoredRates:
    """Rates of a valid submission, replicates on one dataset averaged, as the scorer does."""
    by_dataset: dict[str, list[Runs]] = {}
    for runs in replicates:
        by_dataset.setdefault(runs.submission.record.data.content_sha256, []).append(runs)
    spans: list[tuple[str, int, int]] = []
    values: list[Array] = []
    active: list[bool] = []
    keys: list[str] = []
    for sha in sorted(by_dataset):
        same_data = by_dataset[sha]
        submissions = [pair_rates(runs.submission) for runs in same_data]
        vanillas = [pair_rates(runs.vanilla) for runs in same_data]
        base = next((runs.base for runs in same_data if runs.base), None)
        active_by_cause = active_pairs(base) if base else None
        for cause in CAUSES.names():
            if cause not in submissions[0]:
                continue
            submission = mean([rates[cause] for rates in submissions])
            vanilla = mean([rates[cause] for rates in vanillas])
            counts = [active_by_cause is None or pair in active_by_cause[cause] for pair in submission.pairs]
            counts = counts if any(counts) else [True] * len(counts)
            spans.append((cause, len(active), len(active) + len(counts)))
            values.append(np.concatenate([submission.both, vanilla.both], axis=1).T)
            active += counts
            numbered = zip(submission.pairs, counts, strict=True)
            keys += [f"{sha}/{cause}/{pair}/{int(counted)}" for pair, counted in numbered]
    stored = np.rint(np.concatenate(values, axis=1) * STORED_ONE).astype(np.uint16)
    layout = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]
    return StoredRates(tuple(spans), np.array(active), stored, layout)
