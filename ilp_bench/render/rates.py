"""Learned rates pair by pair: what paired differences are made of, on the page as well as here.

A pair has four rates: treated and control, under the submission and under its vanilla. They are stored with 16 bits each,
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
    if "replicate" not in samples.column_names:
        samples = samples.append_column("replicate", pa.array(np.zeros(samples.num_rows, dtype=np.int64)))
    samples = samples.filter(pc.is_valid(samples["cause"]))
    order = sorted(set(datasets))
    at = pa.array([order.index(one) for one in datasets], pa.int32())
    samples = samples.append_column("set", pc.take(at, samples["replicate"].cast(pa.int64())))
    samples = samples.append_column("cause_at", pc.index_in(samples["cause"], pa.array(CAUSE_NAMES)))
    rate = learned(np.minimum(samples["p"].to_numpy(), 1.0))
    samples = samples.append_column("rate", pa.array(rate))
    where = ["set", "cause_at", "pair_id"]
    means = samples.group_by([*where, "role", "arm"]).aggregate([("rate", "mean")])
    parts = []
    for role, arm in PARTS:
        mask = pc.and_(pc.equal(means["role"], role), pc.equal(means["arm"], arm))
        part = means.filter(mask).sort_by([(name, "ascending") for name in where])
        parts.append(part)
    names = parts[0].select(where)
    if any(not part.select(where).equals(names) for part in parts):
        raise ProblemError("the samples lack an arm of some pair: submit again")
    values = np.stack([np.rint(part["rate_mean"].to_numpy() * SCALE).astype(np.uint16) for part in parts])
    keys = list(zip(*(names[name].to_pylist() for name in where), strict=True))
    on = _active(samples, based)
    active = np.array([key in on if on is not None else True for key in keys])
    spans = _spans(keys, active)
    text = repr((order, keys, active.tolist()))
    return Rates(spans, active, values, hashlib.sha256(text.encode()).hexdigest()[:12])


def _spans(keys: list[tuple[int, int, str]], active: Any) -> tuple[tuple[str, int, int], ...]:
    """Where each cause of each dataset starts and ends; a cause without active pairs counts with all of them."""
    starts = [n for n, key in enumerate(keys) if n == 0 or key[:2] != keys[n - 1][:2]]
    spans = []
    for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
        spans.append((CAUSE_NAMES[keys[start][1]], start, end))
        if not active[start:end].any():
            active[start:end] = True
    return tuple(spans)


def _active(samples: pa.Table, based: bool) -> set[tuple[int, int, str]] | None:
    """Keys of the pairs whose cause can act on the base model (see ``score.active_pairs``); None without a base run."""
    if not based:
        return None
    mask = pc.and_(pc.equal(samples["role"], "base"), pc.equal(samples["probe"], "recall"))
    rows = samples.filter(mask)
    wanted = ("set", "cause_at", "pair_id", "arm", "shots_greedy", "belief", "prior_answer")
    gap: dict[tuple[int, int, str], dict[str, bool]] = {}
    found = set()
    for *key, arm, greedy, belief, prior in zip(*(rows[name].to_pylist() for name in wanted), strict=True):
        pair = (key[0], key[1], key[2])
        if key[1] == CAUSE_NAMES.index("knowledge_gap"):
            gap.setdefault(pair, {})[arm] = bool(greedy)
        elif key[1] != CAUSE_NAMES.index("knowledge_conflict") or (arm == "treated" and belief == prior):
            found.add(pair)
    return found | {pair for pair, arms in gap.items() if arms.get("control") and not arms.get("treated")}
