"""An ordered collection of named specs, to which other packages can add their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from ilp_bench.core.errors import UsageError, near


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """Unique within a registry."""


Spec = TypeVar("Spec", bound=Named)


class Registry(Generic[Spec]):
    """Specs by name, in the order in which they were registered.

    kind    what one of them is called in messages, such as ``cause``
    group   entry point group of the specs that installed packages add, such as ``ilp_bench.causes``; an entry point
            names a spec object. They are loaded once, after the built-in specs.
    retired names of specs that are no more, and what each of them was; records that name them stay valid
    """

    def __init__(
        self, kind: str, group: str, builtin: Iterable[Spec] = (), retired: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._kind, self._group, self.retired = kind, group, retired
        self._specs = {spec.name: spec for spec in builtin}
        self._plugins_loaded = False

    def register(self, spec: Spec) -> Spec:
        """Add a spec and return it. Raises UsageError for a name that another spec has already."""
        if self._specs.setdefault(spec.name, spec) is not spec:
            raise UsageError(f"there is already a {self._kind} {spec.name!r}: choose another name")
        return spec

    def unregister(self, name: str) -> None:
        """Remove a spec, for example after a test. Raises UsageError for an unknown name."""
        del self._specs[self.get(name).name]

    def get(self, name: str) -> Spec:
        """The spec of that name. Raises UsageError, with the nearest name, when there is none."""
        if name in self.retired:
            raise UsageError(f"the {self._kind} {name!r} is retired: {self.retired[name]}")
        if name not in self:
            raise UsageError(f"unknown {self._kind} {name!r}.{near(name, self.names())}")
        return self._specs[name]

    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(spec.name for spec in self)

    def __iter__(self) -> Iterator[Spec]:
        self._load_plugins()
        return iter(tuple(self._specs.values()))

    def __contains__(self, name: object) -> bool:
        self._load_plugins()
        return name in self._specs

    def __len__(self) -> int:
        return len(self.names())

    def _load_plugins(self) -> None:
        if not self._plugins_loaded:
            self._plugins_loaded = True
            for point in entry_points(group=self._group):
                self.register(point.load())
