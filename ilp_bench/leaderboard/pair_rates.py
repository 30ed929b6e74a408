"""Learned rates pair by pair: what paired differences are made of, on the page as well as here.

A pair has four rates: treated and control, under the submission and under its vanilla. They are stored in 16 bits each,
and everything that the site computes, it computes from the stored values, so that a page made from a cache has the same
bytes as one made from the samples.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ilp_bench.core.metrics import Array
from ilp_bench.data.causes import CAUSES
from ilp_bench.records.run_record import Runs
from ilp_bench.scoring.learned_rates import active_pairs, mean, pair_rates

SCALE = 65_535
PARTS = (("submission", "treated"), ("submission", "control"), ("vanilla", "treated"), ("vanilla", "control"))


@dataclass(frozen=True)
class Rates:
    """``values``: shape (4, pairs), the order of ``PARTS``; ``pairs`` are sorted by dataset, cause and id.

    ``active``: which pairs count, because their cause can act on the base model. ``spans``: for each cause of each
    dataset, its name and where its pairs start and end.
    """

    spans: tuple[tuple[str, int, int], ...]
    active: np.ndarray[Any, np.dtype[np.bool_]]
    values: np.ndarray[Any, np.dtype[np.uint16]]
    layout: str

    def floats(self) -> Array:
        """Rates in [0, 1]."""
        return np.asarray(self.values / SCALE, dtype=np.float64)

    def json(self) -> dict[str, Any]:
        """For the page's data file."""
        return {
            "layout": self.layout,
            "spans": [list(span) for span in self.spans],
            "active": "".join("1" if one else "0" for one in self.active),
            "rates": base64.b64encode(self.values.astype("<u2").tobytes()).decode(),
        }


def from_json(found: dict[str, Any]) -> Rates:
    """Back from ``Rates.json``."""
    values = np.frombuffer(base64.b64decode(found["rates"]), dtype="<u2").reshape(len(PARTS), -1)
    active = np.array([one == "1" for one in found["active"]])
    spans = tuple((str(name), int(start), int(end)) for name, start, end in found["spans"])
    return Rates(spans, active, values.astype(np.uint16), found["layout"])


def from_replicates(replicates: Sequence[Runs]) -> Rates:
    """Rates of a valid submission, replicates on one dataset averaged, as the scorer does."""
    by_data: dict[str, list[Runs]] = {}
    for one in replicates:
        by_data.setdefault(one.submission.record.data.content_sha256, []).append(one)
    spans: list[tuple[str, int, int]] = []
    values: list[Array] = []
    active: list[bool] = []
    keys: list[str] = []
    for sha in sorted(by_data):
        some = by_data[sha]
        found = [(pair_rates(one.submission), pair_rates(one.vanilla)) for one in some]
        base = next((one.base for one in some if one.base), None)
        can_act = active_pairs(base) if base else None
        for cause in CAUSES.names():
            if cause not in found[0][0]:
                continue
            s, v = (mean([pair[side][cause] for pair in found]) for side in (0, 1))
            on = [can_act is None or pair in can_act[cause] for pair in s.pairs]
            on = on if any(on) else [True] * len(on)
            spans.append((cause, len(active), len(active) + len(on)))
            values.append(np.concatenate([s.both, v.both], axis=1).T)
            active += on
            keys += [f"{sha}/{cause}/{pair}/{int(one)}" for pair, one in zip(s.pairs, on, strict=True)]
    stored = np.rint(np.concatenate(values, axis=1) * SCALE).astype(np.uint16)
    layout = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]
    return Rates(tuple(spans), np.array(active), stored, layout)
