"""``OUT.partial``, the folder in which an output is made: one process at a time, and only for one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import require_name


def partial_folder(out: Path) -> Path:
    """The folder ``OUT.partial`` beside ``out``, made where there is none.

    Raises UsageError when ``out`` has no name, or a file is in the way.
    """
    require_name(out)
    folder = out.with_name(f"{out.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} cannot be made, a file is in the way: choose another folder") from None
    return folder


def acquire(lock: FileLock, what: str, out: Path) -> None:
    """Acquire the lock, which the system releases when a process dies.

    what   is being made in ``out``, such as ``run``

    Raises UsageError when another process holds the lock.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"another {what} is writing to {out}: wait for it, or choose another folder") from None


def check_plan(folder: Path, what: str, begun: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise UsageError when the plan of the ``what`` that was begun in ``folder`` is not the one that is wanted."""
    if different := [key for key in {**wanted, **begun} if begun.get(key) != wanted.get(key)]:
        names = " and ".join(sorted(different)).replace("_", " ")
        raise UsageError(
            f"{folder} holds an unfinished {what} with another {names}: finish it, remove it, or choose another folder"
        )
