"""The five causes of incomplete learning, in the order of the paper (I to V)."""

from ilp_bench.data.causes import (
    data_inconsistency,
    knowledge_conflict,
    knowledge_gap,
    left_side_forgetting,
    rare_patterns,
)

CAUSES = (knowledge_gap, knowledge_conflict, data_inconsistency, left_side_forgetting, rare_patterns)
CAUSE_NAMES = tuple(cause.NAME for cause in CAUSES)
