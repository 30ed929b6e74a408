"""Are contradictions in other words found? python benchmarks/paraphrases.py [ENCODER [ROWS]]

Prints JSON: of ROWS rows (default: 100,000), seconds and peak memory of the search beyond what the imports took; then,
for each case of ``reworded_facts.py`` and each way of searching, the pairs of questions that contradict one another in
other words (``planted``), how many pairs are named (``said``), and how many of those are planted (``right``). Rows that
ask the same in the same words are found by all ways. ENCODER is a sentence-transformers model, ``-`` for none; MinHash
is tried where datasketch is installed.
"""

import importlib.util
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

from reworded_facts import Reworded, about_names, asked, cases

from ilp_bench.detectors.contradictions import contradicting_groups, find_contradictions
from ilp_bench.detectors.labelled_row import LabelledRow, label
from ilp_bench.detectors.similarity import Near, sentence_encoder, sentence_similarity, word_similarity
from ilp_bench.detectors.words import similarity_terms
from ilp_bench.diagnosis.why.paraphrases import RELATED, contradicting_paraphrases

Search = Callable[[Sequence[LabelledRow]], Iterable[tuple[int, int]]]
PERMUTATIONS, JACCARD = 64, 0.5  # of MinHash, and from which on questions are alike by it


def by_minhash(questions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of questions whose words are alike by MinHash."""
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

    table, hashes = MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS), list[Any]()
    for n, text in enumerate(questions):
        hashes.append(MinHash(PERMUTATIONS, seed=1))
        hashes[n].update_batch([word.encode() for word in similarity_terms(text)])
        yield from ((int(k), n) for k in table.query(hashes[n]) if hashes[int(k)].jaccard(hashes[n]) >= JACCARD)
        table.insert(str(n), hashes[n])


def searches(encoder: str | None) -> dict[str, Search]:
    """Name -> from rows to pairs that contradict one another in other words."""

    def alike(near: Near) -> Search:
        return lambda rows: find_contradictions(rows, near).similar

    def ours(rows: Sequence[LabelledRow], **more: Any) -> Iterable[tuple[int, int]]:
        return (dispute.rows for dispute in contradicting_paraphrases(rows, **more))

    ways: dict[str, Search] = {"same words": lambda rows: (), "TF-IDF alone": alike(word_similarity)}
    if importlib.util.find_spec("datasketch"):
        ways["MinHash alone"] = alike(by_minhash)
    ways |= {"the report": ours, "the report, nearly the same": partial(ours, least=RELATED)}
    if encoder:
        ways["encoder alone"] = alike(sentence_similarity(encoder))
        ways["the report with the encoder"] = partial(ours, encoder=sentence_encoder(encoder))
    return ways


def compare(encoder: str | None) -> None:
    """Print what each way of searching finds in each case."""
    ways = searches(encoder)
    for name, make in cases().items():
        case: Reworded = make()
        groups = contradicting_groups(case.rows)
        same = {(a, b) for group in groups for a, b in product(group, group) if _differ(case.rows, a, b)}
        for way, search in ways.items():
            said = asked(case.rows, {*same, *search(case.rows)})
            counts = {"planted": len(case.pairs), "said": len(said), "right": len(said & case.pairs)}
            print(json.dumps({"case": name, "rows": len(case.rows), "by": way} | counts), flush=True)


def _differ(rows: Sequence[LabelledRow], a: int, b: int) -> bool:
    return label(rows[a]) != label(rows[b])


def cost(count: int) -> None:
    """Print what searching so many rows takes."""
    rows = about_names(count)
    word_similarity(["import", "what is needed"])
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = len(contradicting_paraphrases(rows))
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"rows": count, "said": said, "cpu seconds": round(seconds, 1), "peak MB": peak // 1024}))


if __name__ == "__main__":
    given = sys.argv[1:]
    cost(int(given[1]) if len(given) > 1 else 100_000)
    compare(given[0] if given and given[0] != "-" else None)
