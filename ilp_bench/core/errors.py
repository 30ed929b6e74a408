"""The two kinds of bad news a user can get, each one clear line with its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """The call cannot be carried out as given; the command line exits with 2."""


class ProblemError(Exception):
    """Something that was asked for was done and a problem was found; the command line exits with 1."""


def near(word: str, known: Iterable[str]) -> str:
    """`` Did you mean X?`` for the closest known word, else the list of known words."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(names)}."
