"""A warning where p is near 0 on what a fine-tuned model should have learned: it was probably asked otherwise."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from ilp_bench.records.run_record import Run
from ilp_bench.scoring.role_checks import trained_on_other_data

NEAR_ZERO = 0.05  # mean p, in [0, 1], of control items' recall probes, or of all rows of user data
KNOWN_ANSWER = 0.5  # mean p of answers without their end mark from which on the end mark is the reason


def low_probability(run: Run) -> str | None:
    """One line with the likely reason where a fine-tuned model has p near 0; None where p is not, or nobody knows.

    A run that probes base knowledge is of an untuned model, which has p near 0 rightly.
    """
    record = run.record
    if record.probed and record.training is None:
        return None
    if not record.data.is_user_data and (data := trained_on_other_data(run)):
        return (
            f"this model was trained on another dataset ({data.size}, seed {data.seed}) than it was measured on "
            f"({record.data.size}, seed {record.data.seed}), so p says nothing about what it learned: measure it on "
            "its own"
        )
    asked, what = run.samples, "all rows"
    if not record.data.is_user_data:
        what = "the control arm's recall probes"
        asked = asked.filter(pc.and_(pc.equal(asked["arm"], "control"), pc.equal(asked["probe"], "recall")))
    p = pc.mean(asked["p"]).as_py()
    if p is None or p >= NEAR_ZERO:
        return None
    return f"mean p of {what} is {p:.3f}, near 0: unless nothing was learned, {_reason(run)}"


def _reason(run: Run) -> str:
    record = run.record
    if "answer_p" in run.samples.column_names:
        without = [value for value in run.samples["answer_p"].to_pylist() if value is not None]
        if without and float(np.mean(without)) >= KNOWN_ANSWER:
            return (
                "the end mark is the reason: the answers are known without it; let the rows end as they were trained, "
                "and train the end mark"
            )
    training, chat = record.training, record.prompt_format == "chat"
    ours = bool(training and training.ilp_bench)
    trained = training.prompt_format if training else None
    if trained == "chat" and not chat:
        return "the missing chat template is the reason: this model was trained with it; evaluate with it too"
    if chat and (trained == "plain" or (ours and trained is None)):
        return "the chat template is the reason: this model was trained on bare prompts; evaluate without it"
    if chat and not ours:
        return (
            "this chat template is not the one that it was trained with: put the one of the training into its folder, "
            "or evaluate bare prompts if it was trained on them"
        )
    if ours:
        return "the prompts are not those that it was trained on: evaluate it on the dataset of its training record"
    if record.data.is_user_data:
        return (
            "it was trained with a chat template, or the rows end otherwise: import them as conversations and evaluate "
            "with the template, or let them end as they were trained"
        )
    return "it was trained with a chat template: evaluate with it"
