"""What is asked of a model: every probe, on request its options and few-shot exemplars; nothing twice."""

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

    unique                   the requests, each (context ids, completion ids)
    exemplars                of each request: the few-shot exemplars before it, to score those with the same together
    probe                    of each item: its request
    with_exemplars           item to request: the same with few-shot exemplars
    options                  item to requests: every option, in their order
    options_with_exemplars   item to requests: every option with few-shot exemplars
    exemplar_prompts         item to text: exemplars and question, for an answer that the model generates itself
    """

    unique: list[Request] = field(default_factory=list)
    exemplars: list[str] = field(default_factory=list)
    probe: list[int] = field(default_factory=list)
    with_exemplars: dict[int, int] = field(default_factory=dict)
    options: dict[int, list[int]] = field(default_factory=dict)
    options_with_exemplars: dict[int, list[int]] = field(default_factory=dict)
    exemplar_prompts: dict[int, str] = field(default_factory=dict)

    def blocks(self) -> list[list[int]]:
        """Requests in the order of scoring: those with the same exemplars together, the longest first."""
        order = sorted(
            range(len(self.unique)),
            key=lambda n: (self.exemplars[n], -len(self.unique[n][0]) - len(self.unique[n][1]), n),
        )
        blocks: list[list[int]] = []
        for n in order:
            if blocks and len(blocks[-1]) < BLOCK and self.exemplars[blocks[-1][0]] == self.exemplars[n]:
                blocks[-1].append(n)
            else:
                blocks.append([n])
        return blocks


def plan(
    tokenizer: Any, data: Dataset, items: Sequence[dict[str, Any]], *, chat: bool, probed: bool, choices: int
) -> Requests:
    """The requests of one run. ``choices`` is 0, 4 or 10; raises UsageError for anything else."""
    if choices not in CHOICES:
        raise UsageError(f"{choices} choices are impossible: 0, 4 or 10")
    exemplars: dict[str, str] = {}
    for exemplar in data.shots.to_pylist():
        exemplars[exemplar["relation"]] = exemplars.get(exemplar["relation"], "") + exemplar["prompt"]
        exemplars[exemplar["relation"]] += tokens.ended(tokenizer, exemplar["completion"], plain=True)
    positions: dict[tuple[str, str, str], int] = {}

    def ask(row: dict[str, Any], answer: str, before: str = "") -> int:
        if chat and not before:
            turns = row.get("turns") or [{"role": "user", "content": row["question"]}]
            prompt, completion = tokens.chat(tokenizer, turns, answer)
        else:
            prompt = before + row["prompt"]
            completion = tokens.ended(tokenizer, row.get("completion") or complete(answer), plain=bool(before))
        return positions.setdefault((prompt, completion, before), len(positions))

    requests = Requests()
    for index, row in enumerate(items):
        requests.probe.append(ask(row, row["answer"]))
        if row["probe"] == "paraphrase":
            continue
        options = row[CHOICES[choices]] if choices else []
        if options:
            requests.options[index] = [ask(row, option) for option in options]
        if probed:
            before = exemplars[row["relation"]]
            requests.with_exemplars[index] = ask(row, row["answer"], before)
            requests.exemplar_prompts[index] = before + row["prompt"]
            believed = options or (row["choices"] if row["prior_answer"] else [])
            if believed:
                requests.options_with_exemplars[index] = [ask(row, option, before) for option in believed]
    prompts, completions, requests.exemplars = (list(part) for part in zip(*positions, strict=True))
    pairs = tokens.encode(tokenizer, prompts, completions)
    requests.unique = [(tuple(context), tuple(answer)) for context, answer in pairs]
    return requests
