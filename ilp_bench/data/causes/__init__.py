"""The five causes of incomplete learning, in the order of the paper (I to V), and those that other packages add."""

from ilp_bench.core.registry import Registry
from ilp_bench.data.causes import (
    data_inconsistency,
    knowledge_conflict,
    knowledge_gap,
    left_side_forgetting,
    rare_patterns,
)
from ilp_bench.data.causes.spec import CauseSpec

_PAPER = (
    knowledge_gap.SPEC,
    knowledge_conflict.SPEC,
    data_inconsistency.SPEC,
    left_side_forgetting.SPEC,
    rare_patterns.SPEC,
)
PAPER_CAUSES = tuple(spec.name for spec in _PAPER)
CAUSES: Registry[CauseSpec] = Registry("cause", "ilp_bench.causes", _PAPER)
