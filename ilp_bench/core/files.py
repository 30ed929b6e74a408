"""Files that are written whole or not at all, and read with clear errors."""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.json_problem import json_problem

AT_CWD, EXCHANGE = -100, 2  # of renameat2(2), Linux
MAX_JSON = 4 * 2**20  # bytes of a JSON file that strangers may have written
LFS_POINTER = b"version https://git-lfs"  # how a file begins that only points to the one that is wanted
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?")  # org/name or org/name@revision on the Hub


def require_name(out: Path) -> None:
    """Raise UsageError for a path that names no folder, such as ``.``."""
    if not out.name:
        raise UsageError(f"the output needs the name of a folder, not {str(out)!r}")


def require_new(out: Path) -> None:
    """Raise UsageError where ``out`` holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} already exists: choose a new folder or remove it")


@contextmanager
def new_folder(out: Path, *, replace: bool = False, within: Path | None = None) -> Iterator[Path]:
    """A temporary folder beside ``out`` that takes its name when the block ends well, and vanishes when not.

    within   a folder beside ``out`` of which this process has the lock: the temporary folder is made there, and what a
             killed process left of one is removed

    Raises UsageError when ``out`` already holds something and ``replace`` is false.
    """
    require_name(out)
    if not replace:
        require_new(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = within / "draft" if within else out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        if out.exists():
            _exchange(draft, out)
        else:
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _exchange(draft: Path, out: Path) -> None:
    """Swap two folders in one step, so that there is always one under the name of ``out``; elsewhere, in two steps."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        swap = None
    if swap is None or swap(AT_CWD, os.fsencode(draft), AT_CWD, os.fsencode(out), EXCHANGE):
        old = out.with_name(f".{out.name}.{os.getpid()}.old")
        out.rename(old)
        draft.rename(out)
        shutil.rmtree(old)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file: of two processes that would read, change and write it, one waits for the other."""
    with FileLock(file.with_name(f".{file.name}.lock")):
        yield


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, have it on the disk, then rename it; where that fails, nothing is left."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises ProblemError when it is not one."""
    return _object(path, json.loads)


def read_strict_json(path: Path, *, encoding: str = "utf-8") -> dict[str, Any]:
    """A JSON object from a file that a stranger wrote: at most ``MAX_JSON`` bytes, read by :func:`parse_json`."""
    if path.is_file() and path.stat().st_size > MAX_JSON:
        raise ProblemError(f"{path} has {path.stat().st_size} bytes; at most {MAX_JSON} are read")
    return _object(path, parse_json, encoding)


def _object(path: Path, parse: Callable[[str], Any], encoding: str = "utf-8") -> dict[str, Any]:
    try:
        content = parse(path.read_text(encoding=encoding))
    except OSError as error:
        raise ProblemError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ProblemError(f"{path} is not JSON: {json_problem(error)}: correct it, or make it again") from error
    if not isinstance(content, dict):
        raise ProblemError(f"{path} does not hold a JSON object")
    return content


def parse_json(text: str) -> Any:
    """JSON in the strict sense: raises ValueError for a duplicated key, for NaN and for an infinite number."""
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON text; raises ValueError for a key that it has twice."""
    content = dict(pairs)
    if len(content) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} is duplicated")
    return content


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError(f"{digits} is too large for a number")
    return value
