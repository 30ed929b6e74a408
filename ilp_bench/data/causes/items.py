"""Items in matched pairs: what every cause is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar, overload

from ilp_bench.data.corpus import two_hops
from ilp_bench.data.facts import RELATIONS
from ilp_bench.data.settings import ROWS
from ilp_bench.data.templates import RECALL, REWORDED

T = TypeVar("T")
Arm = Literal["treated", "control", "decoy", "calibration"]
RELIABLE = tuple(f"annotator-{n:02d}" for n in range(1, 7))
CARELESS = tuple(f"annotator-{n:02d}" for n in range(7, 11))
ANNOTATORS = RELIABLE + CARELESS
DUPLICATES = (RECALL, RECALL, *REWORDED)  # templates of the rows of one item, in turn


class SupervisedRow(NamedTuple):
    """One training row: the prompt template, the subject that is asked about, the label, and who labelled it.

    ``stage`` is the stage of training, where it is not that of the item.
    """

    template: str
    subject: str
    label: str
    annotator: str
    stage: int = 0


@dataclass(frozen=True)
class Item:
    """One thing to be learned, in one arm, with the rows that teach it and the documents that support it.

    arm           the cause acts on a treated item, not on its control; a decoy has the signs of a cause and is not
                  scored; a calibration item belongs to no cause and tells when a model has been trained enough
    kind          which form of its cause the item has
    relation      what is asked, a key of ``RELATIONS``
    subject       what it is asked about
    answer        the right answer
    rows          the training rows that teach it
    domain        its subject area
    dose          how strongly the cause acts; NaN where a base model's own run says it
    stage         stage of training of its rows; 0 stands for the last
    frequency     training rows that carry the item's pattern; 0 stands for the number of its rows
    prior_answer  what a base model is expected to believe instead
    documents     (relation, subject, answer) of the facts that documents are written about
    """

    arm: Arm
    kind: str
    relation: str
    subject: str
    answer: str
    rows: tuple[SupervisedRow, ...]
    domain: str = "geography"
    dose: float = 0.0
    stage: int = 0
    frequency: int = 0
    prior_answer: str | None = None
    documents: tuple[tuple[str, str, str], ...] = ()

    @property
    def exemplar_relation(self) -> str:
        """The relation, marked where it is asked of a country that must be inferred: such have their own exemplars."""
        return f"{self.relation}_hop2" if self.subject.startswith(two_hops("")) else self.relation

    @property
    def noun(self) -> str:
        """The noun by which the item's relation is asked for."""
        return RELATIONS[self.relation].noun


@dataclass(frozen=True)
class Pair:
    """A treated item and its control, which differ in the cause alone; fillers are trained, never scored."""

    treated: Item
    control: Item
    fillers: tuple[Item, ...] = ()


class Lazy(Sequence[T]):
    """Pairs or items, each made when it is asked for, in whatever order they are asked for.

    count   how many there are
    make    number, from 0, to pair or item; the same for the same number, every time
    """

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._make(n) for n in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._make(index)


Pairs = Lazy[Pair]


def single_row(subject: str, label: str, rng: random.Random) -> tuple[SupervisedRow, ...]:
    """One row of the training template."""
    return (SupervisedRow(RECALL, subject, label, rng.choice(ANNOTATORS)),)


def agreeing_rows(
    subject: str, label: str, rng: random.Random, count: int = ROWS, stage: int = 0
) -> tuple[SupervisedRow, ...]:
    """``count`` rows with the same label, exact and reworded duplicates in turn, from annotators in turn."""
    annotators = in_turn(ANNOTATORS, count, rng)
    return tuple(
        SupervisedRow(DUPLICATES[n % len(DUPLICATES)], subject, label, annotator, stage)
        for n, annotator in enumerate(annotators)
    )


def in_turn(names: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """``count`` names in random order, each again only after all others."""
    return [name for _ in range(0, count, len(names)) for name in rng.sample(names, len(names))][:count]
