"""What a run says of the options follows from their log-probabilities, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ilp_bench.records.samples import SAMPLES
from ilp_bench.submission.check_values import option_problems

NAMES = pa.chunked_array([[["Oslo", "Rome", "Lima", "Cairo"]]])
LOGPROB = [-0.5, -1.5, -2.5, -3.5]
Q = np.exp(LOGPROB) / np.exp(LOGPROB).sum()
HONEST: dict[str, Any] = {
    "probe_id": "a/recall",
    "logprob": LOGPROB[1],
    "options": LOGPROB,
    "gold": 1,
    "entropy": float(-(Q * np.log(Q)).sum()),
    "shots_options": LOGPROB,
    "belief": "Oslo",
    "belief_p": float(Q[0]),
}


def problems(changes: dict[str, Any]) -> list[str]:
    return list(option_problems(pa.Table.from_pylist([HONEST | changes], schema=SAMPLES), NAMES))


def test_what_follows_is_accepted() -> None:
    assert problems({}) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"entropy": HONEST["entropy"] + 1e-3}, "entropy or logprob does not follow"),
        ({"gold": 0}, "entropy or logprob does not follow"),
        ({"logprob": -1.4}, "entropy or logprob does not follow"),
        ({"options": [0.5, *LOGPROB[1:]]}, "entropy or logprob does not follow"),
        ({"options": LOGPROB[:3]}, "options are not as many"),
        ({"belief": "Rome"}, "belief is not the preferred"),
        ({"belief_p": 0.9}, "belief is not the preferred"),
        ({"shots_options": [float("nan"), *LOGPROB[1:]]}, "belief is not the preferred"),
    ],
)
def test_what_does_not_follow_is_refused(changes: dict[str, Any], complaint: str) -> None:
    (problem,) = problems(changes)
    assert complaint in problem
