"""What every cause module builds with: items in matched pairs, and one shared stock of subjects."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from ilp_bench.corpus import two_hops
from ilp_bench.errors import UsageError
from ilp_bench.facts import RELATIONS, free, pool
from ilp_bench.wording import RECALL

Arm = Literal["treated", "control"]
RELIABLE = tuple(f"annotator-{n:02d}" for n in range(1, 7))
CARELESS = tuple(f"annotator-{n:02d}" for n in range(7, 11))
ANNOTATORS = RELIABLE + CARELESS


@dataclass(frozen=True)
class Row:
    """One supervised example: a question frame, its label, who labelled it, and about what (``x``)."""

    frame: str
    x: str
    label: str
    annotator: str


@dataclass(frozen=True)
class Item:
    """One thing to be learned, in one arm, with the rows that teach it and the documents that support it.

    ``dose`` is NaN where it is read from a base model's own run; ``frequency`` counts the training rows that
    carry the item's pattern.
    """

    arm: Arm
    relation: str
    x: str
    answer: str
    rows: tuple[Row, ...]
    domain: str = "geography"
    dose: float = 0.0
    stage: int = 0  # 0 stands for the last stage
    frequency: int = 0  # 0 stands for the number of rows
    prior_answer: str | None = None
    documents: tuple[tuple[str, str, str], ...] = ()  # (noun, x, answer) facts to be written about

    @property
    def family(self) -> str:
        """The relation, marked where it is asked of a country that must be inferred: shots are kept by family."""
        return f"{self.relation}_hop2" if self.x.startswith(two_hops("")) else self.relation

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


@dataclass
class World:
    """Hands out subjects and answers so that no (relation, subject) is used twice in one dataset."""

    seed: int
    stages: int = 4
    _used: set[tuple[str, str]] = field(default_factory=set)

    def rng(self, *words: str) -> random.Random:
        """An independent random stream for one purpose."""
        return random.Random("/".join((str(self.seed), *words)))

    def unused(self, relation: str, names: Iterable[str]) -> list[str]:
        """The names that are neither reserved as demonstrations nor handed out for that relation."""
        return [name for name in free(relation, names) if (relation, name) not in self._used]

    def take(self, relation: str, names: Iterable[str], count: int, rng: random.Random) -> list[str]:
        """``count`` unused subjects in random order. Raises UsageError, naming the limit, when there are too few."""
        left = self.unused(relation, names)
        if len(left) < count:
            raise UsageError(
                f"{count} subjects of {relation!r} are wanted, but only {len(left)} exist: ask for fewer pairs"
            )
        chosen = rng.sample(left, count)
        self.reserve(relation, chosen)
        return chosen

    def reserve(self, relation: str, names: Iterable[str]) -> None:
        """Mark subjects as used for that relation."""
        self._used.update((relation, name) for name in names)

    def deal(self, answers: str, count: int, rng: random.Random) -> list[str]:
        """``count`` answers spread evenly over the pool, in random order."""
        words = list(pool(answers))
        rng.shuffle(words)
        dealt = [words[n % len(words)] for n in range(count)]
        rng.shuffle(dealt)
        return dealt


def rows(x: str, label: str, rng: random.Random, count: int = 1) -> tuple[Row, ...]:
    """``count`` rows in the training wording that agree, each from another annotator.

    Both arms of a cause have the same count. It differs between causes so that their control arms converge after
    about the same number of epochs; else the slowest control would decide how long all others are trained.
    """
    return tuple(Row(RECALL, x, label, who) for who in rng.sample(ANNOTATORS, count))
