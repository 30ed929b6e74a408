"""What every cause module builds with: items in matched pairs, and one shared stock of subjects."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, overload

from ilp_bench.core.errors import UsageError
from ilp_bench.data.corpus import two_hops
from ilp_bench.data.facts import RELATIONS, demonstrations, free, pool, stable_hash, subjects
from ilp_bench.data.facts.contested import CONTESTED
from ilp_bench.data.names import Names
from ilp_bench.data.settings import Settings
from ilp_bench.data.templates import RECALL

Arm = Literal["treated", "control"]
RELIABLE = tuple(f"annotator-{n:02d}" for n in range(1, 7))
CARELESS = tuple(f"annotator-{n:02d}" for n in range(7, 11))
ANNOTATORS = RELIABLE + CARELESS
LISTED = ("emblem", "keyword")  # relations of the register, dealt out by the benchmark, in turn


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

    ``kind`` says which form of its cause the item has. ``dose`` is NaN where it is read from a base model's own
    run; ``frequency`` counts the training rows that carry the item's pattern; ``distractors`` replace the
    relation's answer pool where a rule makes the answers.
    """

    arm: Arm
    kind: str
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
    distractors: tuple[str, ...] = ()

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


class Pairs(Sequence[Pair]):
    """The pairs of one cause, each made when it is asked for, whichever are asked for and in whatever order."""

    def __init__(self, count: int, make: Callable[[int], Pair]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self._make(n) for n in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._make(index)


def grouped(count: int, size: int, make: Callable[[int, int], list[Pair]]) -> Pairs:
    """Pairs that are made ``size`` at a time: ``make(group, pairs wanted)``."""

    @lru_cache(maxsize=4)
    def group(number: int) -> tuple[Pair, ...]:
        return tuple(make(number, min(size, count - number * size)))

    return Pairs(count, lambda n: group(n // size)[n % size])


@dataclass
class World:
    """Hands out subjects and answers so that no (relation, subject) is used twice in one dataset."""

    settings: Settings
    _used: set[tuple[str, str]] = field(default_factory=set)
    _closed: bool = False

    @property
    def seed(self) -> int:
        """The dataset's seed."""
        return self.settings.seed

    def rng(self, *words: str | int) -> random.Random:
        """An independent random stream for one purpose."""
        return random.Random("/".join(map(str, (self.seed, *words))))

    def unused(self, relation: str, names: Iterable[str]) -> list[str]:
        """The names that are neither reserved as demonstrations nor handed out for that relation.

        In core and full, those about whose answer texts disagree are left out too.
        """
        return [
            name
            for name in free(relation, names)
            if (relation, name) not in self._used and self.settled(relation, name)
        ]

    def settled(self, relation: str, name: str) -> bool:
        """Whether the fact may be asked for in a dataset of this size."""
        return not (self.settings.wide and (relation, name) in CONTESTED)

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
        """Mark subjects as used for that relation. Raises RuntimeError after :meth:`close`."""
        if self._closed:
            raise RuntimeError("subjects are handed out while a dataset is planned, not while its pairs are made")
        self._used.update((relation, name) for name in names)

    def close(self) -> None:
        """End the planning: no subject can be handed out any more, so that pairs can be made in any order."""
        self._closed = True

    def listed(self, cause: str, count: int, half: int, block: int) -> Callable[[int], tuple[str, str, str, str]]:
        """Two subjects in a relation of the register, and the answer they share: pair number to
        (relation, subject, subject, answer).

        Subjects are real names of all kinds or, where a domain is asked for, invented names of it. Causes take
        different halves of them; ``block`` takes the place of the seed, so that several seeds may share theirs.
        """
        rng = random.Random(f"{block}/listed/{cause}")
        names: list[Sequence[str]] = []
        domain = self.settings.domain
        for relation in LISTED:
            needed = 2 * (count - count // 2)
            if domain:
                names.append(_Half(Names(domain, stable_hash(str(block)) % 2**32), 2 * half + LISTED.index(relation)))
                continue
            real = [name for name in free(relation, subjects("any")) if stable_hash(name) % 2 == half]
            if len(real) < needed:
                others = {*real, *demonstrations(relation)}
                real += [
                    name for name in subjects("smaller city") if stable_hash(name) % 2 == half and name not in others
                ]
            if len(real) < needed:
                raise UsageError(
                    f"{count} pairs of {cause} want {needed} subjects of {relation!r}, but only {len(real)} real ones "
                    "exist: ask for fewer pairs, or for invented subjects with a domain"
                )
            names.append(rng.sample(real, needed))
        answers = [rng.sample(pool(relation), len(pool(relation))) for relation in LISTED]

        def pair(number: int) -> tuple[str, str, str, str]:
            turn, place = number % len(LISTED), number // len(LISTED)
            answer = answers[turn][place % len(answers[turn])]
            return LISTED[turn], names[turn][2 * place], names[turn][2 * place + 1], answer

        return pair

    def deal(self, answers: str, count: int, rng: random.Random) -> list[str]:
        """``count`` answers spread evenly over the pool, in random order."""
        words = list(pool(answers))
        rng.shuffle(words)
        dealt = [words[n % len(words)] for n in range(count)]
        rng.shuffle(dealt)
        return dealt


class _Half(Sequence[str]):
    """Every fourth of an endless sequence of names, from ``start`` on."""

    def __init__(self, names: Names, start: int) -> None:
        self._names, self._start = names, start

    def __len__(self) -> int:
        return len(self._names) // 4

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._names[4 * index + self._start]


def rows(x: str, label: str, rng: random.Random, count: int = 1) -> tuple[Row, ...]:
    """``count`` rows in the training wording that agree, each from another annotator.

    Both arms of a cause have the same count. It differs between causes so that their control arms converge after
    about the same number of epochs; else the slowest control would decide how long all others are trained.
    """
    return tuple(Row(RECALL, x, label, who) for who in rng.sample(ANNOTATORS, count))
