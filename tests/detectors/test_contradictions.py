from collections import Counter

import pytest

from ilp_bench.data.causes.items import CARELESS, RELIABLE
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.detectors.contradictions import content, find, reliabilities, wrong


def test_careless_annotators_are_found_out(mini: Dataset) -> None:
    rows = mini.train.to_pylist()
    found = find(rows)
    votes = {
        str(n): [(rows[k]["annotator"], rows[k]["completion"]) for k in group] for n, group in enumerate(found.same)
    }
    trust = reliabilities(votes)
    assert min(trust[who] for who in RELIABLE) > max(trust[who] for who in CARELESS)


@pytest.mark.parametrize(("size", "seed"), [("mini", 0), pytest.param("core", 1, marks=pytest.mark.slow)])
def test_wrong_rows_are_found_by_their_words_even_where_the_majority_is_wrong(size: str, seed: int) -> None:
    """Neither item ids nor causes are looked at; core has wrong labels of other seeds and subjects."""
    data = make(size, seed)
    rows = data.train.to_pylist()
    lost = wrong(rows, find(rows))
    truth = {row["item_id"]: row for row in data.items.to_pylist() if row["kind"] == "annotators"}
    bad = {
        n
        for n, row in enumerate(rows)
        if row["item_id"] in truth and row["completion"].strip() != truth[row["item_id"]]["answer"]
    }
    assert len(lost & bad) / len(bad) > 0.95
    assert len(lost - bad) / len(lost) < 0.02
    dose = Counter(truth[rows[n]["item_id"]]["dose"] for n in lost & bad)
    assert dose[0.75] > dose[0.25]


def test_two_contexts_are_no_contradiction_but_stay_apart(mini: Dataset) -> None:
    rows = mini.train.to_pylist()
    found = find(rows)
    told = {n for n, row in enumerate(rows) if " act?" in row["prompt"] or " act.\n" in row["prompt"]}
    assert not wrong(rows, found) & told
    scored = {row["item_id"] for row in mini.items.to_pylist() if row["kind"] == "contexts" and row["arm"] == "treated"}
    apart = {rows[n]["item_id"] for pair in found.similar for n in pair}
    assert len(scored & apart) / len(scored) > 0.9


def test_rows_that_agree_are_no_contradiction(mini: Dataset) -> None:
    rows = [row for row in mini.train.to_pylist() if row["cause"] != "data_inconsistency"]
    assert find(rows).same == []


def test_reworded_questions_ask_the_same() -> None:
    asked = ("What is the register emblem of Texas?", "Name the register emblem of Texas.")
    assert content(asked[0]) == content(asked[1]) == content("State the register emblem that Texas has.")
    assert content(asked[0]) != content("What is the register keyword of Texas?")
