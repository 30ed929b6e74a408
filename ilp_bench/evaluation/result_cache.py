"""Work that is not lost: every block of results is saved as it is done, beside the run that is being made.

``RUN.partial/`` holds ``plan.json``, which says what is being measured, and one ``scores-<rank>.jsonl`` a process, one
line a block; where a base model is asked for answers of its own, ``answers.jsonl`` likewise. A line that was cut off
by a kill is ignored; its block is done again. Processes never write to one another's files, and a lock that the system
releases when a process dies keeps a second run out.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import IO, Any, NamedTuple

from filelock import FileLock, Timeout

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import read_json, write_text
from ilp_bench.core.resume import acquire, check_plan, partial_folder

TokenResults = list[tuple[float, bool]]  # log-probability of each token, and whether greedy decoding gives it


class Result(NamedTuple):
    """Of one request: log-probability of the completion, whether greedy decoding gives it, the former without its end
    mark, and both of each token (the last two None where that was not asked).
    """

    logprob: float
    greedy: bool
    answer_logprob: float | None = None
    tokens: TokenResults | None = None


Results = list[Result]
POLL, PATIENCE = 0.5, 600.0  # seconds


def _sync(file: IO[str]) -> None:
    """Write through to the disk."""
    file.flush()
    os.fsync(file.fileno())


class Journal:
    """The saved results of one run, for process ``rank`` of ``world_size``.

    Raises UsageError when another process is at work there, or when something else was left unfinished there.
    """

    def __init__(self, out: Path, about: dict[str, Any], rank: int = 0, world_size: int = 1) -> None:
        self.folder, self.rank, self.world_size = partial_folder(out), rank, world_size
        self._lock = FileLock(self._lock_file(rank))
        acquire(self._lock, "run", out)
        plan = self.folder / "plan.json"
        if plan.is_file():
            try:
                check_plan(self.folder, "run", read_json(plan), about)
            except UsageError:
                self._lock.release()
                raise
        else:
            write_text(plan, json.dumps(about, indent=1) + "\n")
        self._file = self.folder / f"scores-{rank}.jsonl"
        self._end_cut_line()
        self.done = self.read()

    def _lock_file(self, rank: int) -> Path:
        return self.folder / f"lock-{rank}"

    def _end_cut_line(self) -> None:
        """End a line that a kill cut off, so that the next one stands alone."""
        if self._file.is_file() and (text := self._file.read_bytes()) and not text.endswith(b"\n"):
            with self._file.open("ab") as file:
                file.write(b"\n")

    def read(self) -> dict[int, Results]:
        """Block number to results, of all processes."""
        results: dict[int, Results] = {}
        for path in sorted(self.folder.glob("scores-*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    answers = row.get("answer_logprob", [None] * len(row["logprob"]))
                    tokens = row.get("tokens", [None] * len(row["logprob"]))
                    columns = zip(row["logprob"], row["greedy"], answers, tokens, strict=True)
                    results[int(row["block"])] = [Result(*fields) for fields in columns]
                except (ValueError, KeyError, TypeError):
                    continue  # cut off by a kill
        return results

    def add(self, block: int, results: Results) -> None:
        """Save one block, through to the disk."""
        row = {
            "block": block,
            "logprob": [result.logprob for result in results],
            "greedy": [result.greedy for result in results],
        }
        if any(result.answer_logprob is not None for result in results):
            row["answer_logprob"] = [result.answer_logprob for result in results]
        if any(result.tokens is not None for result in results):
            row["tokens"] = [result.tokens for result in results]
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            _sync(file)
        self.done[block] = results

    def answers(self) -> dict[int, list[Any]]:
        """Block number to a base model's answers, by the one process that asks."""
        answers: dict[int, list[Any]] = {}
        path = self.folder / "answers.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            try:
                row = json.loads(line)
                answers[int(row["block"])] = row["said"]
            except (ValueError, KeyError, TypeError):
                continue  # cut off by a kill
        return answers

    def add_answers(self, block: int, answers: list[Any]) -> None:
        """Save one block of answers, through to the disk, on a line of its own whatever a kill left."""
        with (self.folder / "answers.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps({"block": block, "said": answers}) + "\n")
            _sync(file)

    def gather(self, blocks: int) -> dict[int, Results]:
        """All blocks, once the other processes have saved theirs. Raises ProblemError when one of them stopped."""
        start = time.monotonic()
        while len(self.done) < blocks:
            stopped = [rank for rank in range(self.world_size) if rank != self.rank and self._stopped(rank, start)]
            self.done = self.read()
            if len(self.done) < blocks and (stopped or self.world_size == 1):
                raise ProblemError(
                    f"process {', '.join(map(str, stopped))} of {self.world_size} stopped before its share was done: "
                    "run the same command again, it goes on"
                )
            time.sleep(POLL)
        return self.done

    def _stopped(self, rank: int, start: float) -> bool:
        """Whether a process has released its lock, or did not take it for ten minutes."""
        path = self._lock_file(rank)
        if not path.is_file():
            return time.monotonic() - start > PATIENCE
        other = FileLock(path)
        try:
            other.acquire(timeout=0)
        except Timeout:
            return False
        other.release()
        return True

    def close(self, *, remove: bool = False) -> None:
        """Release the lock; ``remove`` also the folder, once the run is written."""
        self._lock.release()
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)


class MemoryJournal:
    """The results of a run that one process makes in one go: the interface of :class:`Journal`, without files."""

    rank, world_size = 0, 1

    def __init__(self) -> None:
        self.done: dict[int, Results] = {}
        self._answers: dict[int, list[Any]] = {}

    def add(self, block: int, results: Results) -> None:
        """Keep one block."""
        self.done[block] = results

    def answers(self) -> dict[int, list[Any]]:
        """Block number to a base model's answers."""
        return dict(self._answers)

    def add_answers(self, block: int, answers: list[Any]) -> None:
        """Keep one block of answers."""
        self._answers[block] = answers

    def gather(self, blocks: int) -> dict[int, Results]:
        """All blocks."""
        del blocks
        return self.done
