"""Were the answers in the loss at all: cut off, masked, or only the last of a conversation?"""

from __future__ import annotations

from collections.abc import Sequence

from ilp_bench.diagnosis.answers import LEARNED_SHARE
from ilp_bench.diagnosis.cause_zero.check import Asked, AskedRow, Check, CheckName, mean_interval
from ilp_bench.diagnosis.probes import mean
from ilp_bench.scoring.interval_text import two_decimals

USUAL_LENGTHS = (128, 256, 384, 512, 768, 1024, 2048, 4096, 8192)  # what trainers cut to, where nobody says it
FEWEST = 5  # rows, or tokens, from which on a share is compared
NEAR = 32  # tokens on either side of a limit that nobody states, by which it is recognised
DROP = 0.3  # how much lower the share of tokens predicted, or of rows learned, must be
GAIN = 0.1  # nats a token: less is no learning
PROMPT_GAIN = 0.5  # nats a token that the prompts must have gained for masked answers to be named


def truncated(asked: Asked) -> Check:
    """Answers reach beyond the length to which the trainer cut rows, and the model does not know what lies beyond."""
    question = CheckName("truncated", "Were the answers cut off?")
    if asked.max_length:
        check = _cut_at(asked.rows, asked.max_length, question, stated=True)
        return check or question.clear(f"no answer reaches beyond the {asked.max_length} tokens of a row")
    checks = (_cut_at(asked.rows, length, question, stated=False) for length in USUAL_LENGTHS)
    named = next((check for check in checks if check and check.state == "named"), None)
    longest = max(row.length for row in asked.rows)
    return named or question.clear(
        f"the longest row has {longest} tokens; no length is stated, and none of the usual ones divides known from "
        "unknown"
    )


def _cut_at(rows: Sequence[AskedRow], length: int, question: CheckName, *, stated: bool) -> Check | None:
    """The check for one length; None where no answer, or too few, reach beyond it."""
    beyond = [row for row in rows if row.length > length]
    if not beyond or (not stated and len(beyond) < FEWEST):
        return None
    reach = None if stated else NEAR
    parts = [(row.greedy, max(0, length - row.context)) for row in beyond]
    outside = [match for greedy, cut in parts for match in greedy[cut:][:reach]]
    within = [match for greedy, cut in parts for match in greedy[:cut][-reach if reach else None :]]
    if len(within) < FEWEST:
        within = [match for row in rows if row.length <= length for match in row.greedy]
    share, known = mean(outside), mean(within, 1.0)
    figure = (
        f"{len(beyond)} of {len(rows)} rows reach beyond {length} tokens ({'stated' if stated else 'a usual limit'}): "
        f"greedy decoding predicts {two_decimals(share)} of the tokens beyond, {two_decimals(known)} of those before"
    )
    if known - share < DROP or (not stated and known < LEARNED_SHARE):
        return question.clear(figure)
    longest = max(row.length for row in beyond)
    remedy = f"raise the trainer's maximum length to {longest} tokens or more, or split the rows"
    return question.named(figure, remedy, [row.item_id for row in beyond if not row.learned])


def masked(asked: Asked) -> Check:
    """The prompts were learned, the answers were not: the mask of the loss is on the wrong side."""
    question = CheckName("masked", "Were the answers in the loss?")
    probes = asked.probes
    if not probes.first or not probes.base:
        return question.unknown("the base model cannot be asked the same")
    answers = _gains(probes.base.loss, probes.first.loss)
    prompts = _gains(probes.base_prompt_losses, probes.prompt_losses)
    if not answers or not prompts:
        return question.unknown("the prompts have too few tokens to compare")
    gain, of_prompts = mean(answers), mean(prompts)
    figure = (
        f"a token of the answers gained {gain:.2f} nats over the base model, a token of the prompts {of_prompts:.2f}"
    )
    if gain >= GAIN or of_prompts < PROMPT_GAIN:
        return question.clear(figure)
    return question.named(
        figure,
        "look at a batch as trained: its labels must hold the answers (response template, assistant_only_loss, masks)",
    )


def _gains(before: Sequence[float | None], after: Sequence[float | None]) -> list[float]:
    return [b - a for b, a in zip(before, after, strict=True) if a is not None and b is not None]


def earlier_turns(asked: Asked) -> Check:
    """Of conversations, only the last answer was in the loss."""
    question = CheckName("earlier_turns", "Were earlier answers of conversations in the loss?")
    earlier = [row for row in asked.rows if row.earlier_turn]
    last = [row for row in asked.rows if not row.earlier_turn]
    if len(earlier) < FEWEST or len(last) < FEWEST:
        return question.clear(f"{len(earlier)} of {len(asked.rows)} rows are earlier answers")
    before, after = (mean_interval([row.value for row in rows]) for rows in (earlier, last))
    figure = f"earlier answers are reproduced by {two_decimals(before.value)}, last ones by {two_decimals(after.value)}"
    if after.low - before.high < DROP:
        return question.clear(figure)
    remedy = "let the loss hold every answer (no mask_history, no last-turn-only loss), or diagnose the last ones alone"
    return question.named(figure, remedy, [row.item_id for row in earlier if not row.learned])
