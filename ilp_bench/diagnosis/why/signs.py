"""The signs of a cause that an item may have: what the data show comes before what the base model lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ilp_bench.detectors.thresholds import CONFIDENT, KNOWN, STAGE_DROP
from ilp_bench.diagnosis.why.signals import Signals

PARAPHRASE, ENCODED, LOST = "contradicting paraphrases", "contradictions by an encoder", "learned and lost"


class Sign(NamedTuple):
    """A sign, the cause that it speaks for, and whether an item has it."""

    name: str
    cause: str
    holds: Callable[[Signals], bool]


def lacks_knowledge(item: Signals) -> bool:
    """Whether the base model has no answer, and has those of others of the kind, or they were learned better.

    So missing knowledge is told from a new kind of question by its neighbours.
    """
    has_none = item.known < KNOWN and item.denied <= CONFIDENT
    return has_none and (item.kind_known >= KNOWN or item.kind_learned is not None)


# From the surest to the vaguest. All but three are called like their cause.
SIGNS = (
    Sign("data_inconsistency", "data_inconsistency", lambda item: item.contradicted > 0),
    Sign(PARAPHRASE, "data_inconsistency", lambda item: item.disputed),
    Sign(ENCODED, "data_inconsistency", lambda item: item.disputed),
    Sign("knowledge_conflict", "knowledge_conflict", lambda item: item.denied > CONFIDENT),
    Sign("left_side_forgetting", "left_side_forgetting", lambda item: item.fallen > STAGE_DROP),
    Sign("rare_patterns", "rare_patterns", lambda item: item.rarity > 1),
    Sign("knowledge_gap", "knowledge_gap", lacks_knowledge),
    Sign(LOST, "left_side_forgetting", lambda item: item.lost),
)
