"""Files that are written whole or not at all, and read with clear errors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilp_bench.errors import ProblemError, UsageError


@contextmanager
def new_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``out`` that takes its name when the block ends well, and vanishes when not.

    Raises UsageError when ``out`` already holds something and ``replace`` is false.
    """
    if out.exists() and not replace and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} already exists: choose a new folder or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        if out.exists():
            old = out.with_name(f".{out.name}.{os.getpid()}.old")
            out.rename(old)
            draft.rename(out)
            shutil.rmtree(old)
        else:
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises ProblemError when it is not one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ProblemError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ProblemError(f"{path} does not hold a JSON object")
    return found
