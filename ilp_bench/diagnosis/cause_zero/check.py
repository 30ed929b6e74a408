"""A check for cause 0, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel

from ilp_bench.diagnosis.probes import Probes
from ilp_bench.scoring.bootstrap import Interval, interval, resampled

State = Literal["named", "clear", "unknown"]


class AskedRow(NamedTuple):
    """An item as the tuned model was asked it.

    value          how far it is reproduced, in [0, 1]
    learned        whether that counts as learned
    context        tokens before the answer; ``greedy`` has one entry a token of the answer
    earlier_turn   whether the same training row has a later answer
    """

    item_id: str
    value: float
    learned: bool
    context: int
    greedy: Sequence[bool]
    earlier_turn: bool

    @property
    def length(self) -> int:
        """Tokens of the whole row, through its answer."""
        return self.context + len(self.greedy)


class Asked(NamedTuple):
    """What the checks read.

    rows           every item that was asked
    probes         a sample of them in several ways, and what the models' files say
    max_length     tokens to which the trainer cut rows, as the user says or its files do; None where nobody does
    duplicates     questions of the held-out rows that are in training, and how many there are; None without such rows
    """

    rows: Sequence[AskedRow]
    probes: Probes
    max_length: int | None = None
    duplicates: tuple[int, int] | None = None


class Check(BaseModel):
    """What a check for cause 0 says.

    name      of the check, such as ``truncated``
    title     what it asks, in words
    state     ``named``: it is a reason; ``clear``: it is none; ``unknown``: it could not be decided
    figure    the figure that decided it, in words
    remedy    what to do where it is named
    item_ids  items that it is the reason for; None for all
    way       of asking that gives more of the answers; empty but for ``asked_otherwise``
    """

    name: str
    title: str
    state: State
    figure: str
    remedy: str = ""
    item_ids: list[str] | None = None
    way: str = ""


class CheckName(NamedTuple):
    """What a check asks, with the forms of its answer."""

    name: str
    title: str

    def named(self, figure: str, remedy: str, item_ids: list[str] | None = None) -> Check:
        """It is a reason, for these items or for all."""
        return Check(name=self.name, title=self.title, state="named", figure=figure, remedy=remedy, item_ids=item_ids)

    def clear(self, figure: str) -> Check:
        """It is none."""
        return Check(name=self.name, title=self.title, state="clear", figure=figure)

    def unknown(self, figure: str) -> Check:
        """It could not be decided."""
        return Check(name=self.name, title=self.title, state="unknown", figure=figure)


Decide = Callable[[Asked], Check]


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of values with a bootstrap interval over them."""
    array = np.array(values, dtype=float)
    return interval(float(array.mean()), resampled("diagnosis", array[:, None])[:, 0])
