"""Was the model trained enough for single rows to mean anything?"""

from __future__ import annotations

from ilp_bench.diagnosis.cause_zero.check import Asked, Check, CheckName, mean_interval
from ilp_bench.diagnosis.probes import TrainerNotes, mean
from ilp_bench.scoring.interval_text import interval_text, two_decimals

LEAST = 0.3  # of what the base model lacks, the share that must have been learned
ENOUGH = 0.8  # mean reproduction from which on nothing is undertrained


def undertrained(asked: Asked) -> Check:
    """Most of what the base model lacks is still unlearned: no row can be said to be harder than others."""
    question = CheckName("undertrained", "Was it trained enough?")
    before = mean(asked.probes.base.answers) if asked.probes.base else 0.0
    now = mean_interval([row.value for row in asked.rows])
    most = (now.high - before) / max(1 - before, 1e-6)
    figure = (
        f"mean reproduction is {interval_text(now)}, {two_decimals(before)} under the base model: at most "
        f"{max(most, 0):.2f} of the rest is learned (limit {LEAST}){_stated(asked.probes.facts.notes)}"
    )
    if now.value >= ENOUGH or most >= LEAST:
        return question.clear(figure)
    remedy = (
        "make sure that this model was trained on these rows; then train longer or with a larger learning rate, until "
        "their loss falls, and diagnose again"
    )
    return question.named(figure, remedy)


def _stated(notes: TrainerNotes) -> str:
    """What the trainer's files say, in words."""
    steps = notes.max_steps if notes.max_steps and notes.max_steps > 0 else None  # which trainers prefer to epochs
    length = {"epochs": notes.epochs} if steps is None else {"planned steps": steps}
    values = length | {"learning rate": notes.learning_rate, "last loss": notes.last_loss}
    stated = [f"{name} {value:g}" for name, value in values.items() if value is not None]
    return f"; the trainer says: {', '.join(stated)}" if stated else ""
