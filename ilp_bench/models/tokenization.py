"""The one place where a prompt and its completion become token ids: training and scoring use the same ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from ilp_bench.core.errors import ProblemError


def encode(tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]) -> list[tuple[list[int], list[int]]]:
    """(context ids, completion ids) of each pair, cut where the prompt's own tokens end.

    The whole text is tokenised at once, as lm-eval does, so the completion's ids are those a model reads.
    A beginning-of-text mark that a chat template wrote is not written again by a tokenizer that adds one. Raises
    ProblemError when a completion has no token of its own.
    """
    if (mark := tokenizer.bos_token) and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]:
        prompts = [prompt.removeprefix(mark) for prompt in prompts]
    distinct = list(dict.fromkeys(prompts))
    lengths = dict(zip(distinct, map(len, tokenizer(distinct)["input_ids"]), strict=True))
    wholes = tokenizer([p + c for p, c in zip(prompts, completions, strict=True)])["input_ids"]
    pairs = []
    for prompt, whole, completion in zip(prompts, wholes, completions, strict=True):
        length = lengths[prompt]
        if len(whole) <= length:
            raise ProblemError(
                f"the tokenizer gives {completion[:40]!r} no token of its own after {prompt[-40:]!r}: let the prompt "
                "end, or the answer begin, otherwise"
            )
        pairs.append((whole[:length], whole[length:]))
    return pairs


def ended(tokenizer: Any, completion: str, *, plain: bool) -> str:
    """A completion with the end that it was trained with: its newline, or else the tokenizer's end-of-text mark.

    With ``plain``, always one newline, as among few-shot exemplars.
    """
    mark = tokenizer.eos_token or ""
    if plain:
        return completion.rstrip("\n").removesuffix(mark).rstrip("\n") + "\n"
    completion = completion.removesuffix(mark)
    return completion if completion.endswith("\n") else completion + (mark or "\n")


def chat(tokenizer: Any, turns: Sequence[dict[str, str]], answer: str) -> tuple[str, str]:
    """(prompt, completion) under the model's chat template; the completion ends with its end-of-turn mark.

    ``turns`` are what was said before, the last by the user.

    Raises ProblemError when the tokenizer has no template, or one that rewrites the prompt once answered.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ProblemError("this tokenizer has no chat template: evaluate without it")
    both = [*turns, {"role": "assistant", "content": answer}]
    try:
        prompt = tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(both, tokenize=False)
    except TemplateError as error:
        roles = ", ".join(turn["role"] for turn in both)
        raise ProblemError(f"this chat template refuses {roles} ({error}): evaluate without it") from error
    if not whole.startswith(prompt):
        raise ProblemError("this chat template changes the prompt once it is answered: evaluate without it")
    return prompt, whole[len(prompt) :].removesuffix("\n")
