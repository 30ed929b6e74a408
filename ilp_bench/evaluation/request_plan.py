"""What is asked of a model: every probe, on request its options and few-shot exemplars; nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
    ends                     of each request: how many last tokens are the end mark, where p without it is wanted too
    in_detail                requests of which the scores of each token are kept: of user data, those of probes
    prompts_left_out         how many requests of probes have a prompt whose last tokens the whole text does not have
    prompts_sha256           hash of the prompts of all items as text, rendered by the chat template where there is one
    """

    unique: list[Request] = field(default_factory=list)
    exemplars: list[str] = field(default_factory=list)
    probe: list[int] = field(default_factory=list)
    with_exemplars: dict[int, int] = field(default_factory=dict)
    options: dict[int, list[int]] = field(default_factory=dict)
    options_with_exemplars: dict[int, list[int]] = field(default_factory=dict)
    exemplar_prompts: dict[int, str] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    in_detail: frozenset[int] = frozenset()
    prompts_left_out: int = 0
    prompts_sha256: str = ""

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
    tokenizer: Any,
    data: Dataset,
    items: Sequence[dict[str, Any]],
    *,
    chat: bool,
    probed: bool,
    choices: int,
    known: Mapping[tokens.Text, tokens.Tokens] | None = None,
) -> Requests:
    """The requests of one run. ``choices`` is 0, 4 or 10; raises UsageError for anything else. ``known`` has texts
    whose token ids are known already.

    Raises ProblemError where an item cannot be asked; :func:`ilp_bench.evaluation.askable_items.askable_items` leaves
    such items of user data out.
    """
    if choices not in CHOICES:
        raise UsageError(f"{choices} choices are impossible: 0, 4 or 10")
    exemplars: dict[str, str] = {}
    for exemplar in data.shots.to_pylist():
        exemplars[exemplar["relation"]] = exemplars.get(exemplar["relation"], "") + exemplar["prompt"]
        exemplars[exemplar["relation"]] += tokens.ended(tokenizer, exemplar["completion"], plain=True)
    positions: dict[tuple[tokens.Text, str], int] = {}

    def ask(row: dict[str, Any], answer: str, before: str = "") -> int:
        text = request_text(tokenizer, row, answer, chat=chat, exemplars=before)
        return positions.setdefault((text, before), len(positions))

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
    texts, requests.exemplars = (list(part) for part in zip(*positions, strict=True))
    ids = dict(known or {})
    unknown = [text for text in dict.fromkeys(texts) if text not in ids]
    ids |= zip(unknown, tokens.encode_texts(tokenizer, unknown), strict=True)
    encoded = [ids[text] for text in texts]
    requests.unique = [(tuple(each.context), tuple(each.answer)) for each in encoded]
    probes = set(requests.probe)
    if data.is_user_data:
        requests.ends = [each.end if n in probes else 0 for n, each in enumerate(encoded)]
        requests.in_detail = frozenset(probes)
    else:
        requests.ends = [0] * len(encoded)
    requests.prompts_left_out = sum(encoded[n].left_out > 0 for n in probes)
    requests.prompts_sha256 = hashlib.sha256("\0".join(texts[n].prompt for n in requests.probe).encode()).hexdigest()
    return requests


def request_text(tokenizer: Any, row: dict[str, Any], answer: str, *, chat: bool, exemplars: str = "") -> tokens.Text:
    """An item and an answer as text. Raises ProblemError where the chat template refuses the conversation."""
    if chat and not exemplars:
        return tokens.item_text(tokenizer, row, answer)
    if exemplars or not row.get("completion"):
        completion = tokens.ended(tokenizer, row.get("completion") or complete(answer), plain=True)
        return tokens.plain_text(exemplars + row["prompt"], completion)
    return tokens.row_text(tokenizer, row["prompt"], row["completion"])
