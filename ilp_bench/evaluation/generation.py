"""What a base model answers when asked with examples shown: text and confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ilp_bench.evaluation.batches import map_in_batches

ANSWER_TOKENS = 8


class Said(NamedTuple):
    """A greedy answer up to a line's or the text's end, its probability in [0, 1] as a whole, and whether it ended."""

    text: str
    probability: float
    finished: bool


def generate_answers(
    model: Any, tokenizer: Any, prompts: Sequence[str], batch: int = 32, longest: int = ANSWER_TOKENS
) -> list[Said]:
    """What the model says to each prompt, in at most ``longest`` tokens.

    A prompt that the model's context cannot hold is cut from the left; a batch that does not fit into memory is
    halved. Raises ProblemError where not even one fits.
    """
    room = (getattr(model.config, "max_position_embeddings", None) or 1_000_000) - longest
    ids = [row[-room:] for row in tokenizer(list(prompts))["input_ids"]]
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    ordered, _ = map_in_batches(
        lambda part: _generate(model, tokenizer, part, longest), [ids[n] for n in order], batch, "question"
    )
    answers = dict(zip(order, ordered, strict=True))
    return [answers[n] for n in range(len(ids))]


def _generate(model: Any, tokenizer: Any, ids: Sequence[list[int]], longest: int) -> list[Said]:
    import torch

    width, pad = max(map(len, ids)), tokenizer.pad_token_id or 0
    rows = torch.tensor([[pad] * (width - len(row)) + row for row in ids], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=model.device)
    with torch.no_grad():
        done = model.generate(
            rows, attention_mask=mask, do_sample=False, max_new_tokens=longest, pad_token_id=pad, output_logits=True,
            return_dict_in_generate=True, temperature=None, top_p=None, top_k=None, repetition_penalty=1.0,
        )  # fmt: skip
    drawn = done.sequences[:, width:]
    chances = torch.stack(
        [step.float().log_softmax(-1).gather(1, drawn[:, k : k + 1])[:, 0] for k, step in enumerate(done.logits)], 1
    )
    return [_said(tokenizer, *one) for one in zip(drawn.tolist(), chances.tolist(), strict=True)]


def _said(tokenizer: Any, row: Sequence[int], chance: Sequence[float]) -> Said:
    """The answer in a row of drawn tokens with their log-probabilities."""
    text, total, ended = "", 0.0, False
    for end, value in enumerate(chance, 1):
        total += value
        if row[end - 1] == tokenizer.eos_token_id:
            ended = True
        else:
            text = tokenizer.decode(row[:end])  # whole, because a character may take several tokens
            ended = "\n" in text
        if ended:
            break
    return Said(text.split("\n")[0], math.exp(total), ended)
