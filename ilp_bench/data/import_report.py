"""What an import left out: rows and answers that are not asked, and columns and fields that are not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.manifest import Skipped


class LeftOutError(Exception):
    """A row, or an answer in it, that cannot be asked or is not to be learned.

    kind     names what is counted together, such as ``empty answer``
    sound    whether nothing is wrong with the row: it is not to be learned
    """

    def __init__(self, kind: str, message: str, *, sound: bool = False) -> None:
        super().__init__(message)
        self.kind, self.sound = kind, sound


@dataclass
class ImportReport:
    """Counts what is left out of a file, and keeps the first of each kind.

    ignored   column, or field of a message, that is not used -> rows that have it
    skipped   kind of what is left out -> how often, and the first in words
    """

    file: Path
    strict: bool = False
    ignored: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Skipped] = field(default_factory=dict)

    def skip(self, number: int, error: LeftOutError) -> None:
        """Count what row ``number`` (from 1) is left out for.

        Raises ProblemError instead where the import is strict and something is wrong with the row.
        """
        first = f"row {number}: {error}"
        if self.strict and not error.sound:
            raise ProblemError(f"{self.file}, {first}: fix or remove it")
        before = self.skipped.get(error.kind)
        self.skipped[error.kind] = Skipped(
            count=before.count + 1 if before else 1, first=before.first if before else first
        )

    def skipped_text(self) -> str:
        """What was left out, in one line; empty where nothing was."""
        kinds = sorted(self.skipped.items(), key=lambda item: -item[1].count)
        return "; ".join(f"{skipped.count} x {kind} ({skipped.first})" for kind, skipped in kinds)
