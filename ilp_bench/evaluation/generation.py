"""Greedy answers of a model, with their probabilities."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ilp_bench.evaluation.batches import map_in_batches
from ilp_bench.evaluation.shared_prefix import PrefixCache, shared_tokens
from ilp_bench.models.tokenization import encode_prompts

# Whatever a model's generation_config says: nothing cut off, nothing punished, one answer at a time.
NEUTRAL: dict[str, Any] = {
    "top_k": 0,
    "top_p": 1.0,
    "min_p": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "sequence_bias": None,
    "guidance_scale": None,
    "exponential_decay_length_penalty": None,
    "prompt_lookup_num_tokens": None,
    "num_beams": 1,
}
# In transformers 5.24, RWKV-4 reads the state of every sequence of a batch into each (modeling_rwkv, `shifted`).
MIXES_STATES = ("rwkv",)
SAMPLED = NEUTRAL | {"do_sample": True, "temperature": 1.0}
# Without sampling, transformers warns of every setting of it.
GREEDY = NEUTRAL | dict.fromkeys(("temperature", "top_k", "top_p", "typical_p", "epsilon_cutoff", "eta_cutoff"))
GREEDY |= {"do_sample": False}


class GeneratedAnswer(NamedTuple):
    """A greedy answer up to the end of its line or text, its probability in [0, 1], and whether it reached that end."""

    text: str
    probability: float
    finished: bool


def generate_answers(
    model: Any, tokenizer: Any, prompts: Sequence[str], *, max_tokens: int, batch_size: int = 32
) -> list[GeneratedAnswer]:
    """The model's answer to each prompt, of at most ``max_tokens`` tokens.

    A space at a prompt's end is left out, as it is the beginning of the answer's first token. A prompt that the model's
    context cannot hold is cut from the left; what all prompts of a batch begin with is read once; a batch that does not
    fit into memory is halved. A model that carries a state along may read padding into it, so that its batches hold
    prompts of one length; one whose states mix within a batch is asked one prompt at a time. Raises ProblemError where
    not even one fits.
    """
    room = (getattr(model.config, "max_position_embeddings", None) or 1_000_000) - max_tokens
    ids = [row[-room:] for row in encode_prompts(tokenizer, [prompt.rstrip(" ") for prompt in prompts])]
    prefix = PrefixCache(model)
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    # Prompts that begin alike come one after the other, where that spares reading half of all tokens.
    if prefix.can_repeat and 2 * _spared(sorted(ids), batch_size) > sum(map(len, ids)):
        order.sort(key=lambda n: ids[n])
    groups = [order]
    if carries_state(model):
        groups = [list(same) for _, same in groupby(sorted(order, key=lambda n: len(ids[n])), lambda n: len(ids[n]))]
    batch_size = at_once(model, batch_size)
    answers: dict[int, GeneratedAnswer] = {}
    for group in groups:
        answered, batch_size = map_in_batches(
            lambda part: _generate(model, tokenizer, part, max_tokens, prefix),
            [ids[n] for n in group],
            batch_size,
            "question",
        )
        answers |= zip(group, answered, strict=True)
    return [answers[n] for n in range(len(ids))]


def carries_state(model: Any) -> bool:
    """Whether a model carries a state along, which padding may enter."""
    return bool(getattr(model, "_is_stateful", False))


def at_once(model: Any, size: int) -> int:
    """How many prompts of one length a model answers in a batch: ``size``, or 1 where it mixes their states."""
    return 1 if model.config.model_type in MIXES_STATES else size


def _spared(ids: Sequence[list[int]], batch_size: int) -> int:
    """Tokens that are not read where batches of prompts, in this order, read once what they begin with."""
    batches = [ids[start : start + batch_size] for start in range(0, len(ids), batch_size)]
    return sum(shared_tokens(batch) * (len(batch) - 1) for batch in batches)


def _generate(
    model: Any, tokenizer: Any, ids: Sequence[list[int]], max_tokens: int, prefix: PrefixCache
) -> list[GeneratedAnswer]:
    import torch

    width, pad, shared = max(map(len, ids)), tokenizer.pad_token_id or 0, shared_tokens(ids)
    fits = width + max_tokens <= prefix.gap_allowed()
    past = prefix.read(ids[0][:shared], len(ids)) if shared and fits else None
    if past is None:
        shared = 0
    # Padding stands on the left of what each prompt has of its own.
    padded = [[*row[:shared], *[pad] * (width - len(row)), *row[shared:]] for row in ids]
    seen = [[1] * shared + [0] * (width - len(row)) + [1] * (len(row) - shared) for row in ids]
    rows, mask = (torch.tensor(each, device=model.device) for each in (padded, seen))
    with torch.no_grad():
        generated = model.generate(
            rows,
            attention_mask=mask,
            max_new_tokens=max_tokens,
            pad_token_id=pad,
            output_logits=True,
            return_dict_in_generate=True,
            stop_strings=["\n"],
            tokenizer=tokenizer,
            **({prefix.argument: past} if past is not None else {}),
            **GREEDY,
        )
    ends = end_tokens(model, tokenizer)
    ids_out = generated.sequences[:, width:]
    steps = [step.float().log_softmax(-1) for step in generated.logits]
    logprobs = torch.stack([step.gather(1, ids_out[:, k : k + 1])[:, 0] for k, step in enumerate(steps)], 1)
    return [decode_answer(tokenizer, *row, ends) for row in zip(ids_out.tolist(), logprobs.tolist(), strict=True)]


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a text: the tokenizer's, and those at which the model's generation config stops."""
    named = model.generation_config.eos_token_id
    return frozenset([*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id]) - {None}


def decode_answer(
    tokenizer: Any, ids: Sequence[int], logprobs: Sequence[float], ends: Collection[int]
) -> GeneratedAnswer:
    """The answer in generated token ids with their log-probabilities, up to the first of the tokens ``ends``.

    What was generated behind it is padding.
    """
    text, total, ended = "", 0.0, False
    for end, logprob in enumerate(logprobs, 1):
        total += logprob
        if ids[end - 1] in ends:
            ended = True
        else:
            text = tokenizer.decode(ids[:end])  # whole, because a character may take several tokens
            ended = "\n" in text
        if ended:
            break
    return GeneratedAnswer(text.split("\n")[0], math.exp(total), ended)
