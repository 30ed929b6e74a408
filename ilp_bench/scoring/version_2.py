"""What of dataset 2 its committed entries still need: on which pairs its first two causes could act."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.data.causes.spec import pair_ids

VERSION = "2"


def known_controls(recall: pa.Table) -> set[str]:
    """Pairs whose control the base model reproduces greedily, and whose treated item it does not, with exemplars."""
    treated, known = pc.equal(recall["arm"], "treated"), pc.fill_null(recall["shots_greedy"], False)
    return pair_ids(recall, pc.and_(pc.invert(treated), known)) - pair_ids(recall, pc.and_(treated, known))


def believed_pairs(recall: pa.Table) -> set[str]:
    """Pairs whose prior answer is what the base model prefers among the options, with exemplars."""
    believed = pc.fill_null(pc.equal(recall["belief"], recall["prior_answer"]), False)
    return pair_ids(recall, pc.and_(pc.equal(recall["arm"], "treated"), believed))


ACTIVE_PAIRS = {"knowledge_gap": known_controls, "knowledge_conflict": believed_pairs}
