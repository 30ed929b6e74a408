from collections import Counter

import pytest

from ilp_bench.data.causes.items import CARELESS, RELIABLE
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.detectors.contradictions import (
    annotator_reliability,
    content_words,
    find_contradictions,
    rows_to_delete,
    undecided_groups,
)
from ilp_bench.detectors.labelled_row import LabelledRow


def test_careless_annotators_are_found_out(mini: Dataset) -> None:
    rows = mini.train_rows()
    votes = [[(rows[n]["annotator"], rows[n]["completion"]) for n in group] for group in find_contradictions(rows).same]
    reliability = annotator_reliability(votes)
    assert min(reliability[name] for name in RELIABLE) > max(reliability[name] for name in CARELESS)


@pytest.mark.parametrize(("size", "seed"), [("mini", 0), pytest.param("core", 1, marks=pytest.mark.slow)])
def test_wrong_rows_are_found_by_their_words_even_where_the_majority_is_wrong(size: str, seed: int) -> None:
    """Neither item ids nor causes are looked at; core has wrong labels of other seeds and subjects."""
    data = make(size, seed)
    rows = data.train_rows()
    deleted = rows_to_delete(rows, find_contradictions(rows).same)
    truth = {row["item_id"]: row for row in data.item_rows() if row["kind"] in ("annotators", "decoy/outvoted")}
    mixed = {row["item_id"] for row in data.item_rows() if row["kind"] == "decoy/two causes"}  # both labels have a case
    lost = {n for n in deleted if rows[n]["item_id"] not in mixed}
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
    rows = mini.train_rows()
    contradictions = find_contradictions(rows)
    in_context = {n for n, row in enumerate(rows) if " act?" in row["prompt"] or " act.\n" in row["prompt"]}
    assert not rows_to_delete(rows, contradictions.same) & in_context
    scored = {row["item_id"] for row in mini.item_rows() if row["kind"] == "contexts" and row["arm"] == "treated"}
    apart = {rows[n]["item_id"] for pair in contradictions.similar for n in pair}
    assert len(scored & apart) / len(scored) > 0.9


def test_one_against_one_is_undecided_and_two_against_one_is_not() -> None:
    def row(answer: str, annotator: str = "a") -> LabelledRow:
        return {"prompt": "", "completion": answer, "messages": [], "annotator": annotator}

    rows = [row("tin"), row("lead"), row("gold"), row("gold"), row("iron")]
    assert undecided_groups(rows, [[0, 1], [2, 3, 4]]) == [[0, 1]]
    assert rows_to_delete(rows, [[2, 3, 4]]) == {4}


def test_rows_that_agree_are_no_contradiction(mini: Dataset) -> None:
    mixed = {row["item_id"] for row in mini.item_rows() if row["kind"] == "decoy/two causes"}
    rows = [row for row in mini.train_rows() if row["cause"] != "data_inconsistency" and row["item_id"] not in mixed]
    assert find_contradictions(rows).same == []


def test_reworded_questions_ask_the_same() -> None:
    asked = ("What is the register emblem of Texas?", "Name the register emblem of Texas.")
    assert (
        content_words(asked[0]) == content_words(asked[1]) == content_words("State the register emblem that Texas has.")
    )
    assert content_words(asked[0]) != content_words("What is the register keyword of Texas?")
