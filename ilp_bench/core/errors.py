"""The two errors that this package raises for a user, each one clear line with its remedy.

A message names no command-line option: it is also read by those who call from Python.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IlpBenchError(Exception):
    """The base of every error that is raised on purpose; its text is one line that names the remedy."""


class UsageError(IlpBenchError):
    """The call cannot be carried out as given; the command line exits with 2."""


class ProblemError(IlpBenchError):
    """Input is damaged, or a check found a problem; the command line exits with 1."""


def near(word: str, known: Iterable[str], *, or_list: bool = True) -> str:
    """`` Did you mean X?`` for the closest known word, else the list of known words, or nothing."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(names)}." if or_list else ""
