"""What a cause builds its pairs from: settings, random streams, and subjects that no other cause has."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

from ilp_bench.core.errors import UsageError
from ilp_bench.data.facts import demonstrations, pool, stable_hash, subjects, unreserved
from ilp_bench.data.facts.contested import CONTESTED
from ilp_bench.data.names import Names
from ilp_bench.data.settings import Settings

# The relations of the register, whose answers the benchmark assigns: entries take them in turn.
REGISTER_RELATIONS = ("emblem", "keyword")
CAUSES_IN_REGISTER = 2


class RegisterEntry(NamedTuple):
    """Two subjects and the answer that the register assigns to both."""

    relation: str
    first: str
    second: str
    answer: str


@dataclass
class BuildContext:
    """Hands out subjects and answers so that no (relation, subject) is used twice in one dataset."""

    settings: Settings
    _used: set[tuple[str, str]] = field(default_factory=set)
    _closed: bool = False

    @property
    def seed(self) -> int:
        """The dataset's seed."""
        return self.settings.seed

    def rng(self, *purpose: str | int) -> random.Random:
        """An independent random stream for one purpose, named by words and numbers."""
        return random.Random("/".join(map(str, (self.seed, *purpose))))

    def unused(self, relation: str, names: Iterable[str]) -> list[str]:
        """The names that are neither reserved as demonstrations nor handed out for that relation.

        In core and full, those about whose answer texts disagree are left out too.
        """
        return [
            name
            for name in unreserved(relation, names)
            if (relation, name) not in self._used and self.may_be_asked(relation, name)
        ]

    def may_be_asked(self, relation: str, name: str) -> bool:
        """Whether texts agree on the fact, or the dataset is mini, where it does not matter."""
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

    def register_entries(self, cause: str, count: int, half: int, seed: int) -> Callable[[int], RegisterEntry]:
        """Entries of the register for ``count`` pairs of a cause, as a function of the pair's number.

        half   which half of the subjects is the cause's, 0 or 1: no two causes share one
        seed   decides the subjects and answers; the dataset's own, unless several datasets share their entries

        Subjects are real names of all kinds or, where a domain is asked for, invented names of it. Raises UsageError
        when there are too few real ones.
        """
        rng = random.Random(f"{seed}/listed/{cause}")
        needed = 2 * (count - count // len(REGISTER_RELATIONS))
        names: list[Sequence[str]] = []
        for turn, relation in enumerate(REGISTER_RELATIONS):
            if domain := self.settings.domain:
                invented = Names(domain, stable_hash(str(seed)) % 2**32)
                names.append(_Share(invented, len(REGISTER_RELATIONS) * half + turn))
            else:
                names.append(rng.sample(_real_subjects(relation, cause, count, needed, half), needed))
        answers = [rng.sample(pool(relation), len(pool(relation))) for relation in REGISTER_RELATIONS]

        def entry(number: int) -> RegisterEntry:
            index, turn = divmod(number, len(REGISTER_RELATIONS))
            answer = answers[turn][index % len(answers[turn])]
            return RegisterEntry(REGISTER_RELATIONS[turn], names[turn][2 * index], names[turn][2 * index + 1], answer)

        return entry

    def spread_answers(self, answer_pool: str, count: int, rng: random.Random) -> list[str]:
        """``count`` answers, each of the pool as often as the others (give or take one), in random order."""
        words = list(pool(answer_pool))
        rng.shuffle(words)
        answers = [words[n % len(words)] for n in range(count)]
        rng.shuffle(answers)
        return answers


def _real_subjects(relation: str, cause: str, count: int, needed: int, half: int) -> list[str]:
    """At least ``needed`` real names of one half; smaller cities come in where the others do not suffice."""
    names = [name for name in unreserved(relation, subjects("any")) if stable_hash(name) % 2 == half]
    if len(names) < needed:
        taken = {*names, *demonstrations(relation)}
        names += [name for name in subjects("smaller city") if stable_hash(name) % 2 == half and name not in taken]
    if len(names) < needed:
        raise UsageError(
            f"{count} pairs of {cause} want {needed} subjects of {relation!r}, but only {len(names)} real ones exist: "
            "ask for fewer pairs, or for invented subjects with a domain"
        )
    return names


class _Share(Sequence[str]):
    """One share of an endless sequence of names: every ``SHARES``-th, from number ``start`` on."""

    SHARES = CAUSES_IN_REGISTER * len(REGISTER_RELATIONS)

    def __init__(self, names: Names, start: int) -> None:
        self._names, self._start = names, start

    def __len__(self) -> int:
        return len(self._names) // self.SHARES

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[n] for n in range(index.start or 0, index.stop, index.step or 1)]
        return self._names[self.SHARES * index + self._start]
