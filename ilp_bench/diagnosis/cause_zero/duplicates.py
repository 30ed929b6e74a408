"""Are the rows that it was evaluated on rows that it was trained on?"""

from __future__ import annotations

from ilp_bench.diagnosis.cause_zero.check import Asked, Check, CheckName

MOST = 0.1  # share of the held-out questions that may be in training


def duplicates(asked: Asked) -> Check:
    """Held-out questions stand in the training rows, so a low loss on them says nothing."""
    question = CheckName("duplicates", "Is the evaluation free of training rows?")
    if asked.duplicates is None:
        return question.unknown("no held-out rows were given")
    shared, count = asked.duplicates
    figure = f"{shared} of {count} held-out questions are in the training rows"
    if shared <= MOST * count:
        return question.clear(figure)
    return question.named(figure, "hold out rows whose questions are not trained", [])
