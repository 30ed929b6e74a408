"""The trainer's checkpoints within a phase: which one is whole, and how far it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from ilp_bench.core.distributed import Processes
from ilp_bench.core.files import read_json, write_text

COMPLETE = "complete.json"  # written last into a checkpoint
HISTORY = "history.json"  # the log lines of all checks, beside the checkpoints


class Saved(NamedTuple):
    """How far a checkpoint is: checks and steps so far, and losses and seconds since the last check."""

    checks: int = 0
    steps: int = 0
    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    processes: int = 1


def last_checkpoint(scratch: Path) -> str | None:
    """The trainer's last checkpoint that a kill did not cut off; it is written file by file."""
    complete = [file.parent for file in scratch.glob(f"checkpoint-*/{COMPLETE}")]
    last = max(complete, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)
    return str(last) if last else None


def read_saved(scratch: Path, processes: Processes, *, deals_again: bool) -> tuple[str | None, Saved]:
    """The last checkpoint and how far it is; with ``deals_again``, one of another number of processes is discarded."""
    checkpoint = last_checkpoint(scratch)
    if checkpoint is None:
        return None, Saved()
    saved = Saved(**read_json(Path(checkpoint) / COMPLETE))
    if not deals_again or saved.processes == processes.world_size:
        return checkpoint, saved
    processes.wait()
    if processes.is_main:
        for folder in scratch.glob("checkpoint-*"):
            shutil.rmtree(folder)
    processes.wait()
    return None, Saved()


def write_saved(scratch: Path, saved: Saved) -> None:
    """Say how far the checkpoint of that step is, and thereby that it is complete."""
    write_text(scratch / f"checkpoint-{saved.steps}" / COMPLETE, json.dumps(saved._asdict()) + "\n")


def read_history(scratch: Path, checks: int) -> list[dict[str, Any]]:
    """The log lines of the first so many checks."""
    if not checks:
        return []
    rows: list[dict[str, Any]] = read_json(scratch / HISTORY)["checks"]
    return rows[:checks]


def write_history(scratch: Path, rows: list[dict[str, Any]]) -> None:
    """Keep the log lines of all checks so far."""
    write_text(scratch / HISTORY, json.dumps({"checks": rows}) + "\n")
