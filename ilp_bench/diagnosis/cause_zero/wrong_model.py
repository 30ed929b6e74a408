"""Is the model that was asked the one that was trained, and is the base model its base?"""

from __future__ import annotations

from ilp_bench.diagnosis.cause_zero.check import Asked, Check, CheckName
from ilp_bench.diagnosis.probes import mean

SAME = 1e-4  # mean difference of the loss of a token, in nats, up to which two models are the same
OF_A_TRAINING = 0.9  # relative distance of weights beyond which nothing is left in common: unrelated ones lie 1 apart
OF_AN_ADAPTER = 0.02  # of the weights under an adapter and the base model: only their precision may differ
LEARNED = 0.5  # share of learned rows from which on an early checkpoint is no reason


def same_as_base(asked: Asked) -> Check:
    """The tuned model gives what the base model gives: the adapter is not loaded, or another folder was meant."""
    question = CheckName("same_as_base", "Is the tuned model another than the base model?")
    probes = asked.probes
    if probes.facts.same_weights:
        return question.named(
            "both have the same weights, byte for byte",
            "name the folder that your trainer saved, or its adapter; merge or load the adapter",
        )
    tuned, base = (scores.loss if scores else [] for scores in (probes.first, probes.base))
    pairs = [abs(a - b) for a, b in zip(tuned, base, strict=False) if a is not None and b is not None]
    if not pairs:
        return question.unknown("the two cannot be asked the same")
    difference = mean(pairs)
    figure = f"the loss of a token differs by {difference:.4f} nats on average"
    if difference > SAME:
        return question.clear(figure)
    remedy = "its adapter has no effect (untrained, or never saved): look at the weights, and train again"
    return question.named(figure, remedy)


def another_base(asked: Asked) -> Check:
    """The base model is not the one that the tuned model was trained from."""
    question = CheckName("another_base", "Was the tuned model trained from this base model?")
    facts = asked.probes.facts
    if facts.distance is None:
        return question.unknown("the two share no tensor of the same shape and precision")
    limit = OF_AN_ADAPTER if facts.adapter_base else OF_A_TRAINING
    whose = f"{facts.adapter_base}, which the adapter names," if facts.adapter_base else "the tuned model"
    figure = f"weights of {whose} and of the base model lie {facts.distance:.3f} apart (relative; limit {limit})"
    if facts.distance <= limit:
        return question.clear(figure)
    return question.named(figure, "name the base model that the training started from")


def early_checkpoint(asked: Asked) -> Check:
    """The folder is a checkpoint from the middle of the training."""
    question = CheckName("early_checkpoint", "Is it the last checkpoint?")
    notes = asked.probes.facts.notes
    if not notes.steps or not notes.all_steps or notes.all_steps < 0:
        return question.unknown("no trainer_state.json says how many steps were planned")
    figure = f"saved after {notes.steps} of {notes.all_steps} steps"
    if notes.steps >= notes.all_steps or mean([row.learned for row in asked.rows]) >= LEARNED:
        return question.clear(figure)
    return question.named(figure, "name the last checkpoint of the training")
