"""What a base model answered before it is trained, saved block by block: after a kill only the rest is asked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ilp_bench.core.distributed import Processes
from ilp_bench.detectors.beliefs import Answer
from ilp_bench.evaluation.generation import generate_answers
from ilp_bench.recipes.phase import Progress

LABEL_TOKENS = 8  # of the base model's answers that are compared with labels
BLOCK = 256  # prompts that are asked before their answers are saved
Generate = Callable[[Sequence[str]], list[Answer]]


def greedy_answers(
    model: Any, tokenizer: Any, folder: Path, processes: Processes, progress: Progress | None
) -> Callable[[Sequence[str]], list[Answer]]:
    """What gives the greedy answers of a model that is not yet trained; they are kept in ``folder``."""

    def generate(prompts: Sequence[str]) -> list[Answer]:
        generated = generate_answers(model, tokenizer, prompts, max_tokens=LABEL_TOKENS)
        return [Answer(answer.text, answer.probability) for answer in generated]

    def told(answered: int, prompts: int) -> None:
        if progress:
            progress("asking the base model", 0, None, (answered, prompts))

    return SavedAnswers(folder, processes, generate, told)


class SavedAnswers:
    """A base model's answers, kept in files of JSON lines, one line a block of prompts.

    folder     where answers are kept, and were kept by an earlier call; a line that a kill cut off is asked again
    processes  share the blocks out among themselves; each writes a file of its own and reads those of all, so that all
               have the same answers, whatever machines they run on
    generate   asks the base model
    told       is called after each block with the number of prompts answered, and of all that were asked
    """

    def __init__(
        self, folder: Path, processes: Processes, generate: Generate, told: Callable[[int, int], None] | None = None
    ) -> None:
        self._folder, self._file = folder, folder / f"answers-{processes.rank}.jsonl"
        self._processes, self._generate, self._told = processes, generate, told

    def __call__(self, prompts: Sequence[str]) -> list[Answer]:
        """The answer to each prompt; to be called by all processes with the same prompts."""
        keys = [hashlib.sha256(prompt.encode()).hexdigest()[:32] for prompt in prompts]
        answers, wanted = self._read_together(), dict(zip(keys, prompts, strict=True))
        # In alphabetical order prompts behind the same exemplars come together, whose beginning is read once.
        left = sorted((key for key in wanted if key not in answers), key=lambda key: wanted[key])
        rank, world_size = self._processes.rank, self._processes.world_size
        for start in range(rank * BLOCK, len(left), world_size * BLOCK):
            block = left[start : start + BLOCK]
            given = self._generate([wanted[key] for key in block])
            self._save(dict(zip(block, given, strict=True)))
            if self._told:
                self._told(len(wanted) - len(left) + start + len(block), len(wanted))
        answers = self._read_together()
        return [answers[key] for key in keys]

    def _read_together(self) -> dict[str, Answer]:
        """All answers that are saved, when no process is writing any."""
        self._processes.wait()
        answers = self._read()
        self._processes.wait()
        return answers

    def _save(self, answers: dict[str, Answer]) -> None:
        """Save the answers to a block of prompts, through to the disk, on a line of its own whatever a kill left."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(answers) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        files = sorted(self._folder.glob("answers-*.jsonl"))
        for line in (line for file in files for line in file.read_text(encoding="utf-8").splitlines()):
            try:
                answers |= {key: Answer(text, float(p)) for key, (text, p) in json.loads(line).items()}
            except (ValueError, TypeError, AttributeError):
                continue  # cut off by a kill
        return answers
