"""What a base model answered before it is trained, saved block by block: after a kill only the rest is asked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ilp_bench.detectors.beliefs import Answer
from ilp_bench.evaluation.generation import generate_answers
from ilp_bench.recipes.phase import Progress

LABEL_TOKENS = 8  # of the base model's answers that are compared with labels
BLOCK = 256  # prompts that are asked before their answers are saved
Generate = Callable[[Sequence[str]], list[Answer]]


def greedy_answers(
    model: Any, tokenizer: Any, folder: Path, rank: int, progress: Progress | None
) -> Callable[[Sequence[str]], list[Answer]]:
    """What gives the greedy answers of a model that is not yet trained; they are kept in ``folder``."""

    def generate(prompts: Sequence[str]) -> list[Answer]:
        generated = generate_answers(model, tokenizer, prompts, max_tokens=LABEL_TOKENS)
        return [Answer(answer.text, answer.probability) for answer in generated]

    def told(answered: int, prompts: int) -> None:
        if progress:
            progress("asking the base model", 0, None, (answered, prompts))

    return SavedAnswers(folder, rank, generate, told)


class SavedAnswers:
    """A base model's answers, kept in files of JSON lines, one line a block of prompts.

    folder    where answers are kept, and were kept by an earlier call; a line that a kill cut off is asked again
    rank      of this process, which writes a file of its own and reads those of all
    generate  asks the base model
    told      is called after each block with the number of prompts answered, and of all that were asked
    """

    def __init__(
        self, folder: Path, rank: int, generate: Generate, told: Callable[[int, int], None] | None = None
    ) -> None:
        self._folder, self._file = folder, folder / f"answers-{rank}.jsonl"
        self._generate, self._told = generate, told

    def __call__(self, prompts: Sequence[str]) -> list[Answer]:
        """The answer to each prompt."""
        keys = [hashlib.sha256(prompt.encode()).hexdigest()[:32] for prompt in prompts]
        answers, wanted = self._read(), dict(zip(keys, prompts, strict=True))
        # In alphabetical order prompts behind the same exemplars come together, whose beginning is read once.
        left = sorted((key for key in wanted if key not in answers), key=lambda key: wanted[key])
        for start in range(0, len(left), BLOCK):
            block = left[start : start + BLOCK]
            given = self._generate([wanted[key] for key in block])
            answers |= zip(block, given, strict=True)
            self._save(dict(zip(block, given, strict=True)))
            if self._told:
                self._told(len(wanted) - len(left) + start + len(block), len(wanted))
        return [answers[key] for key in keys]

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
