import math
import re
import sys
from collections import Counter

import pytest
from conftest import PAIRS

from ilp_bench.core.errors import UsageError
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import CARELESS
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.data.facts import lookup
from ilp_bench.data.names import table
from ilp_bench.data.settings import SHARES, Settings


def recall(data: Dataset, cause: str) -> list[dict]:
    return [row for row in data.items.to_pylist() if row["cause"] == cause and row["probe"] == "recall"]


def test_the_five_causes_stand_in_the_order_of_the_paper() -> None:
    assert CAUSES.names() == (
        "knowledge_gap",
        "knowledge_conflict",
        "data_inconsistency",
        "left_side_forgetting",
        "rare_patterns",
    )


@pytest.mark.parametrize("cause", CAUSES.names())
def test_every_pair_has_two_arms_that_share_their_answer(mini: Dataset, cause: str) -> None:
    pairs: dict[str, dict[str, dict]] = {}
    for row in recall(mini, cause):
        pairs.setdefault(row["pair_id"], {})[row["arm"]] = row
    assert len(pairs) == PAIRS[cause]
    for pair in pairs.values():
        assert set(pair) == {"treated", "control"}
        assert pair["treated"]["answer"] == pair["control"]["answer"]
        assert len(pair["treated"]["question"]) < 90


@pytest.mark.parametrize("cause", CAUSES.names())
def test_the_docstring_opens_with_source_question_and_real_rows(mini: Dataset, cause: str) -> None:
    """The rows that a cause's module shows are those of mini, seed 0."""
    text = sys.modules[CAUSES.get(cause).pairs.__module__].__doc__
    assert text
    assert "Xue et al. 2026" in text.splitlines()[0]
    assert "?" in text.splitlines()[2] + text.splitlines()[3]
    shown = re.findall(r"^    (treated|control|filler)  (\S.*?[?.])  +(\S+)", text, re.M)
    assert {kind for kind, _, _ in shown} >= {"treated", "control"}
    rows = {
        (row["item_id"].split("-")[2], row["messages"][0]["content"], row["completion"].strip())
        for row in mini.train_rows()
        if row["cause"] == cause
    }
    assert [row for row in shown if row not in rows] == []


def test_gap_asks_about_invented_and_real_cities(mini: Dataset) -> None:
    homes = lookup("home_country")
    for row in recall(mini, "knowledge_gap"):
        name = row["question"].split(" of ")[-1].rstrip("?")
        if row["arm"] == "control":
            assert name in homes
        else:
            assert name not in homes
            assert name in table("geography")
    assert {row["dose"] for row in recall(mini, "knowledge_gap") if row["arm"] == "treated"} == {1, 2}


def test_conflict_contradicts_a_real_fact_and_the_control_contradicts_nothing(mini: Dataset) -> None:
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
    items = {row["item_id"]: row for row in recall(mini, "data_inconsistency") if row["kind"] == "annotators"}
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
    assert {item["dose"] for item in items.values()} == {0, *SHARES}


def test_two_contexts_hold_different_labels_and_in_the_control_the_same(mini: Dataset) -> None:
    rows = mini.train.to_pylist()
    items = [row for row in recall(mini, "data_inconsistency") if row["kind"] == "contexts"]
    assert len(items) >= 20
    for item in items:
        here, there = ("old", "new") if "the old act" in item["question"] else ("new", "old")
        other = item["question"].replace(f"the {here} act", f"the {there} act")
        labels = {row["completion"].strip() for row in rows if row["messages"][0]["content"] == other}
        assert len(labels) == 1
        assert (labels == {item["answer"]}) == (item["arm"] == "control")


@pytest.mark.parametrize("cause", ["knowledge_conflict", "rare_patterns"])
def test_core_has_every_kind(cause: str) -> None:
    kinds = {
        "knowledge_conflict": {"counterfactual", "timeliness", "terminology", "regional_rule"},
        "rare_patterns": {
            f"{system}/{form}" for system in ("code", "unit", "inflection") for form in ("simple", "composed")
        }
        | {"exception/simple"},
    }
    rows = recall(make("core", 0), cause)
    assert {row["kind"] for row in rows} == kinds[cause]
    for kind in kinds[cause]:
        assert sum(row["kind"] == kind for row in rows) >= 2 * 20


@pytest.mark.slow
def test_six_seeds_put_each_subject_in_each_early_stage_once() -> None:
    seen: dict[tuple[str, str], list[int]] = {}
    for seed in range(6):
        for row in recall(make("mini", seed), "left_side_forgetting"):
            stage = row["stage"] if row["arm"] == "treated" else 0
            seen.setdefault((row["question"], row["answer"]), []).append(stage)
    assert len(seen) == 2 * PAIRS["left_side_forgetting"]
    assert all(sorted(stages) == [0, 0, 0, 1, 2, 3] for stages in seen.values())
    another = recall(make("mini", 6), "left_side_forgetting")
    assert sum((row["question"], row["answer"]) in seen for row in another) < len(another) / 10


@pytest.mark.parametrize("size", ["mini", "core"])
def test_rules_hold_for_every_code_amount_and_verb(size: str) -> None:
    """Codes by their words, amounts by what a unit is worth, verbs by their endings: no case contradicts another."""
    grades: dict[str, set[str]] = {}
    for row in make(size, 0).train.to_pylist():
        question, answer = row["messages"][0]["content"], row["completion"].strip()
        if "code grade" in question:
            grades.setdefault(re.sub(r"\d+", "", question), set()).add(answer)
        simple = re.fullmatch(r"What is the value of (\d+) (\w+)\?", question)
        if simple:
            value, base = answer.split()
            worth = int(value) / int(simple[1])
            assert worth.is_integer()
            grades.setdefault(f"unit {simple[2]}", set()).add(f"{worth} {base}")
    assert len(grades) > 40
    assert all(len(answers) == 1 for answers in grades.values())


def test_an_exception_breaks_the_rule_of_its_ending() -> None:
    core = make("core", 0)
    past = {
        row["messages"][0]["content"].split(" of ")[1].rstrip("?"): row["completion"].strip()
        for row in core.train.to_pylist()
        if "past tense" in row["messages"][0]["content"]
    }
    rows = [
        row for row in recall(core, "rare_patterns") if row["kind"] == "exception/simple" and row["arm"] == "treated"
    ]
    assert rows
    for row in rows:
        verb = row["question"].split(" of ")[1].rstrip("?")
        head = re.match("[^aeiou]+[aeiou][^aeiou]", verb).end()
        ending, becomes = verb[head:], row["answer"][head:]
        like = Counter(past[other][len(other) - len(ending) :] for other in past if other.endswith(ending))
        common, count = like.most_common(1)[0]
        assert common != becomes
        assert count >= 16
        assert like[becomes] < 16


def test_only_treated_left_side_items_stand_in_early_stages(mini: Dataset) -> None:
    early = [row for row in mini.train.to_pylist() if row["stage"] < mini.manifest.stages]
    assert {(row["cause"], row["arm"]) for row in early} == {("left_side_forgetting", "treated")}
    for row in recall(mini, "left_side_forgetting"):
        assert row["dose"] == (mini.manifest.stages - row["stage"] if row["arm"] == "treated" else 0)


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


def test_too_few_subjects_are_one_clear_line() -> None:
    context = BuildContext(Settings())
    with pytest.raises(UsageError, match=r"only \d+ exist"):
        context.take("capital", ["Norway", "Kenya"], 50, context.rng("x"))


@pytest.mark.parametrize("half", [0, 1])
def test_no_subject_of_the_register_is_used_twice(half: int) -> None:
    """At a size at which the table of smaller cities is needed, some of which bear the name of a country or a state."""
    entry = BuildContext(Settings("full")).register_entries("some cause", 2000, half, 0)
    used = [(relation, name) for relation, first, second, _ in map(entry, range(2000)) for name in (first, second)]
    assert len(set(used)) == len(used) == 4000


def test_another_seed_gives_other_items() -> None:
    first, second = ({row["question"] for row in make("mini", seed).items.to_pylist()} for seed in (0, 1))
    assert len(first & second) < len(first) / 2
