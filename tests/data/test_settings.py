from functools import partial

import pytest

from ilp_bench.api.data import build, load
from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import make
from ilp_bench.data.settings import COMMON, Settings, frequencies


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"size": "larg"}, "unknown size"),
        ({"seed": -1}, "0 or more"),
        ({"pairs": 0}, "at least 1"),
        ({"stages": 1}, "2 to 100"),
        ({"shares": (1.2,)}, "above 0 and below 1"),
        ({"shares": (0.0,)}, "above 0 and below 1"),
        ({"shares": (float("nan"),)}, "above 0 and below 1"),
        ({"shares": (0.123,)}, "at most 10 rows"),
        ({"shares": ()}, "must not be empty"),
        ({"shares": 0.3}, r"shares is 0.3: give a list of numbers, such as \[0.25, 0.5, 0.75\]"),
        ({"shares": "0.3"}, "shares is '0.3': give a list of numbers"),
        ({"shares": ("0.3",)}, "give a list of numbers"),
        ({"frequencies": 4}, r"frequencies is 4: give a list of whole numbers, such as \[1, 2, 4, 8\]"),
        ({"frequencies": (1.5,)}, "give a list of whole numbers"),
        ({"hops": 2}, r"hops is 2: give a list of whole numbers, such as \[1, 2\]"),
        ({"hops": (True,)}, "give a list of whole numbers"),
        ({"causes": "rare_patterns"}, "causes is 'rare_patterns': give a list of texts"),
        ({"stages": "4"}, "stages is '4': give a whole number"),
        ({"pairs": 4.5}, "pairs is 4.5: give a whole number"),
        ({"seed": None}, "seed is None: give a whole number"),
        ({"size": 3}, "size is 3: give a text"),
        ({"domain": 3}, "domain is 3: give a text"),
        ({"frequencies": (16,)}, "1 to 15"),
        ({"hops": (3,)}, "1, 2 or both"),
        ({"domain": "medecine"}, "Did you mean 'medicine'"),
        ({"causes": ("rare_pattern",)}, "Did you mean 'rare_patterns'"),
        ({"pairs": 9000}, "ask for fewer pairs"),
        ({"stages": 40, "pairs": 1}, "ask for fewer pairs or stages"),
        pytest.param({"pairs": 4000, "size": "full"}, "ask for fewer pairs", marks=pytest.mark.nightly),
        ({"domain": "medicine"}, "name other causes"),
    ],
)
def test_what_cannot_be_is_refused_with_its_limit(knobs: dict, says: str) -> None:
    for function in (make, build, partial(load, None)):
        with pytest.raises(UsageError, match=says):
            function(**{"size": "mini"} | knobs)


def test_a_list_is_as_good_as_a_tuple_and_causes_beside_a_cause_are_refused() -> None:
    assert Settings(shares=[0.3], causes=["rare_patterns"]) == Settings(shares=(0.3,), causes=("rare_patterns",))
    with pytest.raises(UsageError, match="the cause rare_patterns and causes are both given: give one of them"):
        load("rare_patterns", size="mini", causes=("data_inconsistency",))


def test_knobs_make_a_new_set_and_are_named_in_its_manifest() -> None:
    made = make("mini", 0, pairs=12, causes=("data_inconsistency",), shares=(0.3,), domain="medicine")
    assert made.manifest.knobs
    assert made.manifest.knobs.to_json() == {
        "pairs": 12,
        "causes": ["data_inconsistency"],
        "shares": [0.3],
        "domain": "medicine",
    }
    rows = [row for row in made.items.to_pylist() if row["pair_id"] and row["probe"] == "recall"]
    assert len(rows) == 24
    assert {row["dose"] for row in rows} == {0.0, 0.3}
    assert {row["domain"] for row in rows} == {"medicine"}
    taught = [row for row in made.train.to_pylist() if row["item_id"] == rows[0]["item_id"]]
    assert sum(row["completion"].strip() != rows[0]["answer"] for row in taught) == 6
    assert len(taught) == 20
    assert make("mini", 0).manifest.knobs is None


def test_stages_hops_and_frequencies_are_what_was_asked_for() -> None:
    made = make("mini", 1, pairs=30, stages=6, hops=(1,), frequencies=(1, 3))
    assert made.manifest.stages == 6
    rows = [row for row in made.items.to_pylist() if row["arm"] == "treated"]
    doses = {cause: {row["dose"] for row in rows if row["cause"] == cause} for cause in {row["cause"] for row in rows}}
    assert doses["left_side_forgetting"] == {1, 2, 3, 4, 5}
    assert doses["knowledge_gap"] == {1}
    assert doses["rare_patterns"] == {1, 3}


def test_a_law_of_frequencies_falls_with_the_rank() -> None:
    assert frequencies("1,2,4") == (1, 2, 4)
    law = frequencies("zipf:1.0")
    assert list(law) == sorted(law, reverse=True)
    assert law[0] == COMMON // 2
    assert law[-1] == 1
    for wrong in ("zipf:x", "often", "1;2", ""):
        with pytest.raises(UsageError, match="neither"):
            frequencies(wrong)
    with pytest.raises(UsageError, match="1 to 15"):
        Settings(frequencies=frequencies("zipf:0"))
