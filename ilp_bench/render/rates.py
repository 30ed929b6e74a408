"""Learned rates pair by pair: what paired differences are made of, on the page as well as here.

A pair has four rates: treated and control, under the submission and under its vanilla. They are stored in 16 bits each,
and everything that the site computes, it computes from the stored values, so that a page made from a cache has the same
bytes as one made from the samples.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.causes import CAUSE_NAMES
from ilp_bench.errors import ProblemError
from ilp_bench.estimate import Array, learned

SCALE = 65_535
ARMS = ("treated", "control")
ROLES = ("submission", "vanilla", "base")
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


def from_samples(samples: pa.Table, datasets: list[str], *, based: bool) -> Rates:
    """Rates of a submission's samples; ``datasets`` names the dataset of each replicate.

    Raises ProblemError when a pair lacks one of its parts.
    """
    samples = samples.filter(pc.is_valid(samples["cause"]))
    order = sorted(set(datasets))
    replicate = samples["replicate"].to_numpy().astype(int) if "replicate" in samples.column_names else 0
    at_set = np.array([order.index(one) for one in datasets])[replicate]
    cause, role, arm = (
        _codes(samples[name], names) for name, names in (("cause", CAUSE_NAMES), ("role", ROLES), ("arm", ARMS))
    )
    names = samples["pair_id"].combine_chunks().dictionary_encode()
    words = names.dictionary.to_pylist()
    sorted_at = np.argsort(np.argsort(np.array(words)))  # codes that sort like the ids
    pair = (at_set * len(CAUSE_NAMES) + cause) * len(words) + sorted_at[names.indices.to_numpy()]
    keys, at = np.unique(pair, return_inverse=True)
    rate = learned(np.minimum(samples["p"].to_numpy(), 1.0))
    part = role * len(ARMS) + arm
    values = []
    for r, a in PARTS:
        mine = part == ROLES.index(r) * len(ARMS) + ARMS.index(a)
        count = np.bincount(at[mine], minlength=len(keys))
        if (count == 0).any():
            raise ProblemError(f"the samples of {r} lack the {a} arm of {int((count == 0).sum())} pairs: submit again")
        values.append(np.bincount(at[mine], weights=rate[mine], minlength=len(keys)) / count)
    ids = np.array(words)[np.argsort(sorted_at)][keys % len(words)]
    of = keys // len(words)
    active = np.ones(len(keys), dtype=bool)
    if based:
        active = _active(samples, at, of % len(CAUSE_NAMES), (role == ROLES.index("base")), arm)
    spans = _spans(of, active)
    text = "\n".join([*order, *(f"{where}/{name}/{int(on)}" for where, name, on in zip(of, ids, active, strict=True))])
    stored = np.rint(np.stack(values) * SCALE).astype(np.uint16)
    return Rates(spans, active, stored, hashlib.sha256(text.encode()).hexdigest()[:12])


def _codes(column: pa.ChunkedArray, names: tuple[str, ...]) -> Any:
    """Where each value stands in ``names``."""
    return pc.index_in(column, pa.array(names)).to_numpy().astype(int)


def _spans(of: Any, active: Any) -> tuple[tuple[str, int, int], ...]:
    """Where each cause of each dataset starts and ends; a cause without active pairs counts with all of them."""
    starts = [0, *(int(n) + 1 for n in np.flatnonzero(np.diff(of)))]
    spans = []
    for start, end in zip(starts, [*starts[1:], len(of)], strict=True):
        spans.append((CAUSE_NAMES[int(of[start]) % len(CAUSE_NAMES)], start, end))
        if not active[start:end].any():
            active[start:end] = True
    return tuple(spans)


def _active(samples: pa.Table, at: Any, cause: Any, base: Any, arm: Any) -> Any:
    """Whether the cause of each pair can act on the base model (see ``score.active_pairs``), from its recall probes."""
    asked = base & pc.equal(samples["probe"], "recall").to_numpy()
    treated = arm == ARMS.index("treated")
    greedy = pc.fill_null(samples["shots_greedy"], False).to_numpy()
    believed = pc.fill_null(pc.equal(samples["belief"], samples["prior_answer"]), False).to_numpy()

    def marked(mask: Any) -> Any:
        return np.bincount(at[mask], minlength=len(cause)) > 0

    gap = marked(asked & ~treated & greedy) & ~marked(asked & treated & greedy)
    conflict = marked(asked & treated & believed)
    names = [CAUSE_NAMES.index(name) for name in ("knowledge_gap", "knowledge_conflict")]
    return np.where(cause == names[0], gap, np.where(cause == names[1], conflict, True))
