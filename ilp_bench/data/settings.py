"""What a dataset depends on: a size, a seed, and knobs for those who want another controlled dataset."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

from ilp_bench.core.errors import UsageError, near

SIZES = {"mini": 40, "core": 150, "full": 1500}  # pairs a cause
RETENTION = {"mini": 100, "core": 300, "full": 600}  # held-out facts
SHARES = (0.25, 0.5, 0.75)  # of contradicting rows
FREQUENCIES = (1, 2, 4, 8)  # rows of a rare pattern
COMMON = 16  # rows of a pattern that is not rare
ROWS = 16  # of an assigned fact, in both arms, so that it is learned about when known facts are expressed
STAGES = 4
ASSIGNED_ROWS = 3  # of an assigned fact of calibration: about half learned when facts in ``ROWS`` rows are learned
CALIBRATION = {"mini": 8, "core": 12, "full": 24}  # known facts of calibration in a stage, and as many assigned ones
HOPS = (1, 2)  # steps to the answer of a knowledge gap
DOMAINS = ("geography", "medicine", "law", "finance", "technology")
MOST_ROWS = 10  # of one contradicted question
ZIPF_PERIOD = 20  # frequencies of a Zipf law before it starts again
# Settings of one value and those of several, with their types, and examples of the latter.
ONE: dict[str, Any] = {
    "size": str,
    "seed": Integral,
    "pairs": Integral | None,
    "stages": Integral,
    "domain": str | None,
}
SEVERAL: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "causes": (str, ("data_inconsistency",)),
    "shares": (Real, SHARES),
    "frequencies": (Integral, FREQUENCIES),
    "hops": (Integral, HOPS),
}


@dataclass(frozen=True)
class Settings:
    """A size and a seed name a dataset of the benchmark; any other setting makes a new controlled dataset.

    size          mini, core or full: how many pairs a cause has, and whether its facts go beyond what nano was taught
    seed          0 or more
    pairs         pairs a cause, instead of the size's
    causes        some of the five; empty is all
    shares        shares of contradicting rows, in (0, 1), as fractions of at most ten rows
    stages        stages of training, at least 2
    frequencies   rows of a rare pattern, 1 to 15, in turn
    hops          steps to the answer of a knowledge gap: 1, 2 or both
    domain        subjects and relations of one domain only; where no real ones are needed they are invented

    Raises UsageError, naming the limit, for a value that cannot be.
    """

    size: str = "mini"
    seed: int = 0
    pairs: int | None = None
    causes: tuple[str, ...] = ()
    shares: tuple[float, ...] = SHARES
    stages: int = STAGES
    frequencies: tuple[int, ...] = FREQUENCIES
    hops: tuple[int, ...] = HOPS
    domain: str | None = None

    def __post_init__(self) -> None:
        for name in ONE:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, ONE[name]):
                raise UsageError(f"{name} is {value!r}: give a {_type_name(ONE[name])}")
        for name in SEVERAL:
            object.__setattr__(self, name, as_tuple(name, getattr(self, name)))
        check_size(self.size)
        if self.seed < 0:
            raise UsageError(f"a seed of {self.seed} is impossible: 0 or more")
        if self.pairs is not None and self.pairs < 1:
            raise UsageError(f"{self.pairs} pairs a cause are impossible: at least 1")
        if not 2 <= self.stages <= 100:
            raise UsageError(f"{self.stages} stages are impossible: 2 to 100")
        if self.domain is not None and self.domain not in DOMAINS:
            raise UsageError(f"unknown domain {self.domain!r}.{near(self.domain, DOMAINS)}")
        for share in self.shares:
            if not 0 < share < 1:
                raise UsageError(f"a contradicting share of {share:g} is impossible: above 0 and below 1")
            if not math.isclose(share, share_of_rows(share)):
                raise UsageError(
                    f"a share of {share:g} is not a fraction of at most {MOST_ROWS} rows, such as 0.3 or 0.25"
                )
        for count in self.frequencies:
            if not 1 <= count < COMMON:
                raise UsageError(
                    f"a rare pattern in {count} rows is impossible: 1 to {COMMON - 1}; a common one has {COMMON}"
                )
        if not set(self.hops) <= {1, 2}:
            raise UsageError(f"hops of {', '.join(map(str, self.hops))} are impossible: 1, 2 or both")
        for name in ("shares", "frequencies", "hops"):
            if not getattr(self, name):
                raise UsageError(f"{name} must not be empty")

    @property
    def count(self) -> int:
        """Pairs a cause."""
        return self.pairs or SIZES[self.size]

    @property
    def calibration(self) -> int:
        """Known facts of calibration in every stage, and as many assigned ones."""
        return CALIBRATION[self.size]

    @property
    def wide(self) -> bool:
        """Whether facts may be used that nano was not taught."""
        return self.size != "mini"

    def knobs(self) -> dict[str, Any]:
        """The settings that differ from the defaults, apart from size and seed; empty for the benchmark's datasets."""
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("size", "seed") and value != defaults[name]
        }


def as_tuple(name: str, values: Any) -> tuple[Any, ...]:
    """The values of a setting that has several. Raises UsageError for a single one, or one of another type."""
    kind, default = SEVERAL[name]
    if not isinstance(values, str) and isinstance(values, Iterable):
        several = tuple(values)
        if all(isinstance(value, kind) and not isinstance(value, bool) for value in several):
            return several
    raise UsageError(f"{name} is {values!r}: give a list of {_type_name(kind)}s, such as {list(default)}")


def _type_name(kind: Any) -> str:
    return "text" if kind in (str, str | None) else "number" if kind is Real else "whole number"


def check_size(size: str) -> str:
    """The size itself; raises UsageError for an unknown one."""
    if size not in SIZES:
        raise UsageError(f"unknown size {size!r}.{near(size, SIZES)}")
    return size


def share_of_rows(share: float) -> Fraction:
    """The share as a fraction: contradicting rows over rows, of which there are at most ``MOST_ROWS``."""
    return Fraction(share).limit_denominator(MOST_ROWS)


def frequencies(law: str) -> tuple[int, ...]:
    """Frequencies from a text: ``1,2,4`` (in turn) or ``zipf:1.0`` (16 rows over rank to that power, at least 1).

    Raises UsageError for anything else.
    """
    try:
        if law.startswith("zipf:"):
            power = float(law.removeprefix("zipf:"))
            return tuple(max(1, round(COMMON / rank**power)) for rank in range(2, ZIPF_PERIOD + 2))
        return tuple(int(word) for word in law.split(","))
    except (ValueError, OverflowError):
        raise UsageError(f"frequencies {law!r} are neither like 1,2,4 nor like zipf:1.0") from None
