"""What is asked of a model: every probe, and on request options and shown examples; nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.templates import complete
from ilp_bench.models import tokenization as tokens

BLOCK = 256  # requests of one block: what is scored, and saved, together
CHOICES = {0: "", 4: "choices", 10: "choices10"}
Ids = tuple[int, ...]
Request = tuple[Ids, Ids]  # context, completion


@dataclass
class Requests:
    """Distinct requests, and where in ``items`` each result belongs.

    ``probe`` has one request an item. ``shots`` (item to request) asks with four examples shown; ``options`` and
    ``beliefs`` (item to requests, in the order of the options) ask for every option, plainly and with examples.
    ``asked``: the whole text of the question of an item with examples shown.
    """

    unique: list[Request] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)  # of each request: the examples before it, to keep those together
    probe: list[int] = field(default_factory=list)
    shots: dict[int, int] = field(default_factory=dict)
    options: dict[int, list[int]] = field(default_factory=dict)
    beliefs: dict[int, list[int]] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)

    def blocks(self) -> list[list[int]]:
        """Requests in the order of scoring: those with the same examples together, the longest first."""
        order = sorted(
            range(len(self.unique)), key=lambda n: (self.shown[n], -len(self.unique[n][0]) - len(self.unique[n][1]), n)
        )
        found: list[list[int]] = []
        for n in order:
            if found and len(found[-1]) < BLOCK and self.shown[found[-1][0]] == self.shown[n]:
                found[-1].append(n)
            else:
                found.append([n])
        return found


def plan(
    tokenizer: Any, data: Dataset, items: Sequence[dict[str, Any]], *, chat: bool, probed: bool, choices: int
) -> Requests:
    """The requests of one run. ``choices`` is 0, 4 or 10; raises UsageError for anything else."""
    if choices not in CHOICES:
        raise UsageError(f"{choices} choices are impossible: 0, 4 or 10")
    examples: dict[str, str] = {}
    for shot in data.shots.to_pylist():
        examples[shot["relation"]] = examples.get(shot["relation"], "") + shot["prompt"]
        examples[shot["relation"]] += tokens.ended(tokenizer, shot["completion"], plain=True)
    wanted: dict[tuple[str, str, str], int] = {}

    def ask(row: dict[str, Any], answer: str, shown: str = "") -> int:
        if chat and not shown:
            turns = row.get("turns") or [{"role": "user", "content": row["question"]}]
            prompt, completion = tokens.chat(tokenizer, turns, answer)
        else:
            prompt = shown + row["prompt"]
            completion = tokens.ended(tokenizer, row.get("completion") or complete(answer), plain=bool(shown))
        return wanted.setdefault((prompt, completion, shown), len(wanted))

    found = Requests()
    for index, row in enumerate(items):
        found.probe.append(ask(row, row["answer"]))
        if row["probe"] == "paraphrase":
            continue
        options = row[CHOICES[choices]] if choices else []
        if options:
            found.options[index] = [ask(row, option) for option in options]
        if probed:
            shown = examples[row["relation"]]
            found.shots[index] = ask(row, row["answer"], shown)
            found.asked[index] = shown + row["prompt"]
            believed = options or (row["choices"] if row["prior_answer"] else [])
            if believed:
                found.beliefs[index] = [ask(row, option, shown) for option in believed]
    prompts, completions, found.shown = (list(part) for part in zip(*wanted, strict=True))
    pairs = tokens.encode(tokenizer, prompts, completions)
    found.unique = [(tuple(context), tuple(answer)) for context, answer in pairs]
    return found
