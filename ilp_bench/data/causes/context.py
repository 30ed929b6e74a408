"""What a cause builds its items from: settings, random streams, and subjects that no other item has."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ilp_bench.core.errors import UsageError
from ilp_bench.data.facts import RELATIONS, country_of_city, demonstrations, lookup, pool, subjects, unreserved
from ilp_bench.data.facts.corrections import cities_by_fame, excluded_subjects
from ilp_bench.data.names import SEED_BLOCKS, Names
from ilp_bench.data.settings import Settings

# Cities that facts are asked about, best known first; the register is about the others.
FACT_CITIES = {"core": 2_400, "full": 6_500}
Suits = Callable[[str], bool]


def any_name(_: str) -> bool:
    """Every name suits."""
    return True


@dataclass
class BuildContext:
    """Hands out subjects so that none stands in two items of a dataset, nor in datasets of neighbouring seeds.

    The subjects of a kind are dealt in turn to ``SEED_BLOCKS`` blocks; a seed draws from one of them, so that as many
    consecutive seeds share no subject. Full, which wants more facts than a block has, draws from all.
    """

    settings: Settings
    _left: dict[str, list[str]] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _names_dealt: Counter[str] = field(default_factory=Counter)
    _closed: bool = False

    @property
    def seed(self) -> int:
        """The dataset's seed."""
        return self.settings.seed

    def rng(self, *purpose: str | int) -> random.Random:
        """An independent random stream for one purpose, named by words and numbers."""
        return random.Random("/".join(map(str, (self.seed, *purpose))))

    def deal(
        self,
        relation: str,
        count: int,
        *,
        suits: Suits = any_name,
        most: int = 0,
    ) -> list[str]:
        """The ``count`` best-known subjects of a real relation that are left, the best known first.

        suits   which subjects may be asked about
        most    how often an answer may occur among them; 0 is no limit

        Raises UsageError, naming the limit, when there are too few.
        """
        self._check_open()
        names = (name for name in self._candidates(relation) if suits(name))
        chosen = list(islice(_at_most(most, names, truth_of(relation).__getitem__), count))
        if len(chosen) < count:
            raise UsageError(
                f"{count} subjects of {relation!r} are wanted, but only {len(chosen)} are left: ask for fewer pairs or "
                "stages"
            )
        self._used.update(chosen)
        return chosen

    def left(self, relation: str, most: int = 0) -> int:
        """How many subjects of a real relation can still be dealt, no answer more than ``most`` times."""
        return len(list(_at_most(most, self._candidates(relation), truth_of(relation).__getitem__)))

    def deal_register(self, count: int) -> Callable[[int], str]:
        """``count`` subjects of the register as a function of their number: real places of which little is known.

        With a domain, invented names of it; behind the last real place, invented names of places.
        """
        self._check_open()
        if domain := self.settings.domain:
            return self.invent(domain, count)
        places = [name for name in self._register_places() if name not in self._used][:count]
        self._used.update(places)
        invented = self.invent("geography", count - len(places))
        return lambda number: places[number] if number < len(places) else invented(number - len(places))

    def deal_register_pairs(self, count: int) -> Callable[[int], tuple[str, str]]:
        """Subjects of the register for ``count`` pairs, as a function of the pair's number, about equally long each."""
        name = self.deal_register(2 * count)
        rng = self.rng("register pairs", name(0))
        by_length = sorted((name(n) for n in range(2 * count)), key=len)  # a stable sort: random within a length
        pairs = [rng.sample(by_length[n : n + 2], 2) for n in range(0, 2 * count, 2)]
        rng.shuffle(pairs)
        return lambda number: (pairs[number][0], pairs[number][1])

    def invent(self, domain: str, count: int) -> Callable[[int], str]:
        """``count`` invented names of a domain as a function of their number."""
        self._check_open()
        names, start = Names(domain, self.seed), self._names_dealt[domain]
        self._names_dealt[domain] += count
        return lambda number: names[start + number]

    def shuffled_pool(self, relation: str) -> list[str]:
        """The answers of an assigned relation in random order, from which items take theirs in turn."""
        words = list(pool(RELATIONS[relation].answers))
        self.rng("answers", relation).shuffle(words)
        return words

    def held_out(self, relation: str) -> list[str]:
        """Subjects of a relation that no item of the dataset is about, whatever their block."""
        return [
            name
            for name in unreserved(relation, lookup(relation))
            if name not in self._used and self.may_be_asked(relation, name)
        ]

    def hold_out(self, names: Sequence[str]) -> None:
        """Mark subjects as those of held-out facts."""
        self._check_open()
        self._used.update(names)

    def close(self) -> None:
        """End the planning: no subject can be handed out any more, so that pairs can be made in any order."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("subjects are handed out while a dataset is planned, not while its pairs are made")

    def may_be_asked(self, relation: str, name: str) -> bool:
        """Whether the fact is neither disputed nor about a name that means something else."""
        return name not in excluded_subjects(relation)

    def _candidates(self, relation: str) -> Iterator[str]:
        """The subjects of a real relation that are left to this seed, best known first."""
        kind, truth, shown = RELATIONS[relation].subjects, truth_of(relation), frozenset(demonstrations(relation))
        if kind not in self._left:
            self._left[kind] = self._block(self._fact_cities() if kind == "city" else subjects(kind))
        for name in self._left[kind]:
            if name in truth and name not in shown and name not in self._used and self.may_be_asked(relation, name):
                yield name

    def _register_places(self) -> list[str]:
        """The places of the register in this seed's block, in random order."""
        if "register" not in self._left:
            cities = set(self._fact_cities())
            places = self._block([name for name in cities_by_fame() if name not in cities])
            self.rng("register").shuffle(places)
            self._left["register"] = places
        return self._left["register"]

    def _fact_cities(self) -> Sequence[str]:
        """The cities that facts are asked about, best known first; in mini those that nano was taught."""
        if self.settings.wide:
            return cities_by_fame()[: FACT_CITIES[self.settings.size]]
        return [name for name in cities_by_fame() if name in lookup("home_country")]

    def _block(self, names: Sequence[str]) -> list[str]:
        return list(names if self.settings.size == "full" else names[self.seed % SEED_BLOCKS :: SEED_BLOCKS])


def truth_of(relation: str) -> Mapping[str, str]:
    """Subject to true answer; of home countries, those of smaller cities too."""
    return country_of_city() if relation == "home_country" else lookup(relation)


def _at_most(most: int, names: Iterable[str], answer_of: Callable[[str], str]) -> Iterator[str]:
    """The names, without those whose answer ``most`` names before them have; all of them where ``most`` is 0."""
    times: Counter[str] = Counter()
    for name in names:
        answer = answer_of(name)
        times[answer] += 1
        if not most or times[answer] <= most:
            yield name
