"""Every intervention of the paper at once, each told that its cause is there: what can be had when all is known.

Knowledge and conflicts: pre-training on all documents. Inconsistency: wrong rows deleted, incompatible ones kept
apart. Forgetting: one shuffle over all stages. Rare patterns: repeated until they are common.
"""

from __future__ import annotations

from ilp_bench.train.batches import Apart
from ilp_bench.train.contradictions import find, wrong
from ilp_bench.train.knowledge import pretraining
from ilp_bench.train.patterns import repeats
from ilp_bench.train.phase import MAX_EPOCHS, Bench, Example, Phase, control_probes, example

NAME = "combined"
CAUSE = None


def phases(bench: Bench) -> list[Phase]:
    """Pre-training, then one phase over all stages."""
    rows = bench.data.train.to_pylist()
    found = find(rows, bench.near)
    gone = wrong(rows, found)
    times = repeats([row["messages"][0]["content"] for row in rows])
    places: dict[int, list[int]] = {}
    examples: list[Example] = []
    for n, row in enumerate(rows):
        if n not in gone:
            places[n] = list(range(len(examples), len(examples) + times[n]))
            examples += [example(row)] * times[n]
    against = [
        (k, m)
        for one, other in found.similar
        if one in places and other in places
        for k in places[one]
        for m in places[other]
    ]
    bench.notes.update(deleted_rows=len(gone), conflicting_pairs=len(found.similar))
    bench.notes["repeated_rows"] = sum(count > 1 for count in times)
    sft = Phase(
        "all stages", "sft", examples, control_probes(bench.data), MAX_EPOCHS, batches=Apart(len(examples), against)
    )
    return [*pretraining(bench, bench.data.knowledge["text"].to_pylist()), sft]
