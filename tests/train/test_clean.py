from collections import Counter

from ilp_bench.causes.common import CARELESS, RELIABLE
from ilp_bench.dataset import Dataset
from ilp_bench.train.clean import drop_contradictions, reliabilities


def test_reliable_annotators_are_told_from_careless_ones(mini: Dataset) -> None:
    votes: dict[str, list[tuple[str, str]]] = {}
    for row in mini.train.to_pylist():
        if row["cause"] == "data_inconsistency":
            votes.setdefault(row["item_id"], []).append((row["annotator"], row["completion"]))
    trust = reliabilities({item: pairs for item, pairs in votes.items() if len({label for _, label in pairs}) > 1})
    assert min(trust[who] for who in RELIABLE) > max(trust[who] for who in CARELESS)


def test_what_remains_is_the_true_label_even_where_the_majority_is_wrong(mini: Dataset) -> None:
    truth = {row["item_id"]: (row["answer"], row["dose"]) for row in mini.items.to_pylist()}
    kept = [row for row in drop_contradictions(mini.train.to_pylist()) if row["cause"] == "data_inconsistency"]
    right: Counter[float] = Counter()
    total: Counter[float] = Counter()
    for row in kept:
        if row["item_id"] not in truth:
            continue  # the other context of an item, as true as the one that is scored
        answer, dose = truth[row["item_id"]]
        total[dose] += 1
        right[dose] += row["completion"].strip() == answer
    assert right[0.25] == total[0.25]
    assert right[0.5] == total[0.5]
    assert right[0.75] / total[0.75] > 0.9


def test_two_contexts_are_no_contradiction(mini: Dataset) -> None:
    items = {row["item_id"] for row in mini.items.to_pylist() if row["kind"] == "contexts"}
    rows = mini.train.to_pylist()
    told = [row for row in rows if " act?" in row["prompt"]]
    assert {row["item_id"] for row in told} > items
    kept = {row["row_id"] for row in drop_contradictions(rows)}
    assert all(row["row_id"] in kept for row in told)


def test_rows_that_agree_are_all_kept(mini: Dataset) -> None:
    rows = [row for row in mini.train.to_pylist() if row["cause"] != "data_inconsistency"]
    assert drop_contradictions(rows) == rows
