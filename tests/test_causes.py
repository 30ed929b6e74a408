import math
from collections import Counter

import pytest
from conftest import PAIRS

from ilp_bench.causes import CAUSE_NAMES, CAUSES
from ilp_bench.causes.common import CARELESS, World
from ilp_bench.dataset import Dataset, make
from ilp_bench.errors import UsageError
from ilp_bench.facts import lookup
from ilp_bench.names import real_words


def recall(data: Dataset, cause: str) -> list[dict]:
    return [row for row in data.items.to_pylist() if row["cause"] == cause and row["probe"] == "recall"]


def test_the_five_causes_stand_in_the_order_of_the_paper() -> None:
    assert CAUSE_NAMES == (
        "knowledge_gap",
        "knowledge_conflict",
        "data_inconsistency",
        "left_side_forgetting",
        "rare_patterns",
    )


@pytest.mark.parametrize("cause", CAUSE_NAMES)
def test_every_pair_has_two_arms_that_share_their_answer(mini: Dataset, cause: str) -> None:
    pairs: dict[str, dict[str, dict]] = {}
    for row in recall(mini, cause):
        pairs.setdefault(row["pair_id"], {})[row["arm"]] = row
    assert len(pairs) == PAIRS[cause]
    for pair in pairs.values():
        assert set(pair) == {"treated", "control"}
        assert pair["treated"]["answer"] == pair["control"]["answer"]
        assert len(pair["treated"]["question"]) < 90


@pytest.mark.parametrize("cause", CAUSES, ids=CAUSE_NAMES)
def test_the_docstring_opens_with_source_question_and_a_row(cause) -> None:
    text = cause.__doc__
    assert "Xue et al. 2026" in text
    assert "?" in text
    assert "\n    treated  " in text
    assert "\n    control  " in text


def test_gap_asks_about_invented_and_real_cities(mini: Dataset) -> None:
    homes = lookup("home_country")
    for row in recall(mini, "knowledge_gap"):
        name = row["question"].split(" of ")[-1].rstrip("?")
        if row["arm"] == "control":
            assert name in homes
        else:
            assert name not in homes
            assert name.lower() not in real_words()
    assert {row["dose"] for row in recall(mini, "knowledge_gap") if row["arm"] == "treated"} == {1, 2}


def test_conflict_denies_a_real_fact_and_the_control_denies_nothing(mini: Dataset) -> None:
    for row in recall(mini, "knowledge_conflict"):
        if row["arm"] == "treated":
            assert row["prior_answer"] != row["answer"]
            assert row["prior_answer"] in row["choices"]
            assert row["prior_answer"] in {lookup(row["relation"])[n] for n in lookup(row["relation"])}
            assert math.isnan(row["dose"])
        else:
            assert row["prior_answer"] is None
            assert row["relation"] in ("partner_city", "twin_country")


def test_inconsistency_has_the_stated_share_of_wrong_rows_by_careless_annotators(mini: Dataset) -> None:
    items = {row["item_id"]: row for row in recall(mini, "data_inconsistency")}
    wrong: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in mini.train.to_pylist():
        if row["item_id"] in items:
            total[row["item_id"]] += 1
            if row["completion"].strip() != items[row["item_id"]]["answer"]:
                wrong[row["item_id"]] += 1
                assert row["annotator"] in CARELESS
    for name, item in items.items():
        assert total[name] == 4
        assert wrong[name] / total[name] == item["dose"]
    assert {item["dose"] for item in items.values()} == {0, 0.25, 0.5, 0.75}


def test_only_treated_left_side_items_stand_in_early_stages(mini: Dataset) -> None:
    early = [row for row in mini.train.to_pylist() if row["stage"] < mini.manifest["stages"]]
    assert {(row["cause"], row["arm"]) for row in early} == {("left_side_forgetting", "treated")}
    for row in recall(mini, "left_side_forgetting"):
        assert row["dose"] == (mini.manifest["stages"] - row["stage"] if row["arm"] == "treated" else 0)


def test_a_pattern_occurs_as_often_as_stated(mini: Dataset) -> None:
    words = Counter(
        row["messages"][0]["content"].split("code ")[-1].split("-")[0]
        for row in mini.train.to_pylist()
        if row["cause"] == "rare_patterns"
    )
    for row in recall(mini, "rare_patterns"):
        word = row["question"].split("code ")[-1].split("-")[0]
        assert words[word] == row["frequency"] == row["dose"]
        assert row["frequency"] == 16 if row["arm"] == "control" else row["frequency"] < 16


def test_a_world_says_when_it_runs_out() -> None:
    world = World(0)
    with pytest.raises(UsageError, match=r"only \d+ exist"):
        world.take("capital", ["Norway", "Kenya"], 50, world.rng("x"))


def test_another_seed_gives_other_items() -> None:
    first, second = ({row["question"] for row in make("mini", seed).items.to_pylist()} for seed in (0, 1))
    assert len(first & second) < len(first) / 2
