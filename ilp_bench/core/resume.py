"""``OUT.partial``, the folder in which an output is made: one process at a time, and only for one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ilp_bench.core.errors import UsageError


def partial_folder(out: Path) -> Path:
    """The folder beside ``out``, made where it is not there."""
    if not out.name:
        raise UsageError(f"the output needs the name of a folder, not {str(out)!r}")
    folder = out.with_name(f"{out.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} cannot be made, a file is in the way: choose another folder") from None
    return folder


def take(lock: FileLock, what: str, out: Path) -> None:
    """Take the lock, which the system lets go of when a process dies; raises UsageError when another holds it.

    ``what`` is being made, such as a run.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"another {what} is writing to {out}: wait for it, or choose another folder") from None


def check_plan(folder: Path, what: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise UsageError when the plan that was begun in ``folder`` is not the one that is wanted."""
    if other := [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]:
        differs = " and ".join(sorted(other)).replace("_", " ")
        raise UsageError(
            f"{folder} holds an unfinished {what} with another {differs}: finish it, remove it, or choose another "
            "folder"
        )
