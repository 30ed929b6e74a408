"""Does the tuned model read its text by the same tokens as in training?"""

from __future__ import annotations

from ilp_bench.diagnosis.cause_zero.asked_otherwise import compared
from ilp_bench.diagnosis.cause_zero.check import Asked, Check, CheckName
from ilp_bench.diagnosis.probes import BASE_TOKENS
from ilp_bench.scoring.interval_text import interval_text

GAIN = 0.1  # of reproduction under the other tokenizer, from which on the tokenizer is the reason


def tokenizer_changed(asked: Asked) -> Check:
    """The tokenizer beside the tuned model gives tokens other numbers than the one it was trained with."""
    question = CheckName("tokenizer_changed", "Is it read by the tokenizer it was trained with?")
    facts = asked.probes.facts
    figure = (
        f"{facts.renumbered} of {facts.base_vocabulary} tokens of the base model have another number, "
        f"{facts.added} were added"
    )
    gain = compared(asked.probes, BASE_TOKENS)
    if gain is None:
        return question.clear(figure)
    figure += f"; with the base model's tokenizer, reproduction changes by {interval_text(gain)}"
    if gain.low < GAIN:
        return question.clear(figure)
    remedy = "put the tokenizer of the training into the model's folder (tokenizer.save_pretrained), with all its files"
    return question.named(figure, remedy)
