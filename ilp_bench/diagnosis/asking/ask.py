"""Score some items in one way of asking, with a model in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ilp_bench.core.errors import ProblemError
from ilp_bench.diagnosis.answers import loss, reproduced
from ilp_bench.diagnosis.probes import WayScores
from ilp_bench.evaluation.request_plan import request_text
from ilp_bench.models import tokenization as tokens
from ilp_bench.models.tokenization import Text

# What may end an answer where neither the row nor the template says the right end.
ENDS = (
    "\n",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "</s>",
    "<eos>",
    "<|end|>",
)
MOST_ENDS = 6


def ask(lm: Any, tokenizer: Any, name: str, texts: Sequence[Text | None]) -> WayScores | None:
    """Score the texts of items; None where no item can be asked so."""
    kept = [(n, each) for n, each in enumerate(encode_known(tokenizer, texts)) if each and fits(lm, each)]
    if not kept:
        return None
    none: list[float | None] = [None] * len(texts)
    result = WayScores(name=name, answers=[*none], ends=[*none], loss=[*none], tokens=[0] * len(texts))
    scored = lm.token_logprobs([(tuple(each.context), tuple(each.answer)) for _, each in kept])
    for (n, each), scores in zip(kept, scored, strict=True):
        count = result.tokens[n] = len(each.answer) - each.end
        result.answers[n] = reproduced(scores.logprobs[:count], scores.greedy[:count])
        result.loss[n] = loss(scores.logprobs[:count])
        if each.end:
            result.ends[n] = math.exp(math.fsum(scores.logprobs[count:]))
    return result


def encode_known(tokenizer: Any, texts: Sequence[Text | None]) -> list[tokens.Tokens | None]:
    """Token ids of each text; None where there is no text, or its answer has no token of its own."""
    encoded = iter(tokens.encode_each(tokenizer, [text for text in texts if text is not None]))
    every = [None if text is None else next(encoded) for text in texts]
    return [None if isinstance(each, ProblemError) else each for each in every]


def fits(lm: Any, encoded: tokens.Tokens) -> bool:
    """Whether the model's context holds the answer."""
    longest: int = lm.max_length
    return len(encoded.answer) <= longest


def prompt_losses(lm: Any, tokenizer: Any, texts: Sequence[Text | None]) -> list[float | None]:
    """The mean loss of a token of each prompt, in nats; None where it has fewer than two."""
    encoded = encode_known(tokenizer, texts)
    asked = [
        (n, tuple(each.context[-lm.max_length :]))
        for n, each in enumerate(encoded)
        if each is not None and len(each.context) > 2
    ]
    scored = lm.token_logprobs([(ids[:1], ids[1:]) for _, ids in asked]) if asked else []
    losses: list[float | None] = [None] * len(texts)
    for (n, _), scores in zip(asked, scored, strict=True):
        losses[n] = loss(scores.logprobs)
    return losses


def other_ends(lm: Any, tokenizer: Any, texts: Sequence[Text | None]) -> dict[str, float]:
    """Mean probability of other ends after the answers, by end."""
    vocabulary = tokenizer.get_vocab()
    known = [end for end in ENDS if end == "\n" or end in vocabulary]
    candidates = list(dict.fromkeys([*filter(None, [tokenizer.eos_token]), *known]))[:MOST_ENDS]
    asked = [text for text in texts if text is not None]
    means: dict[str, float] = {}
    for end in candidates:
        ended = [
            text._replace(whole=text.whole[: text.answer_end] + end, end=text.answer_end + len(end)) for text in asked
        ]
        scores = ask(lm, tokenizer, end, ended)
        values = [value for value in scores.ends if value is not None] if scores else []
        if values:
            means[end] = math.fsum(values) / len(values)
    return means


def text_of_rows(items: Sequence[Mapping[str, Any]], tokenizer: Any, *, chat: bool) -> list[Text | None]:
    """The text of each item as it was imported; None where the chat template refuses it."""
    texts: list[Text | None] = []
    for item in items:
        try:
            texts.append(request_text(tokenizer, dict(item), item["answer"], chat=chat))
        except ProblemError:
            texts.append(None)
    return texts
