import math
import re
import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from conftest import PAIRS

from ilp_bench.core.errors import UsageError
from ilp_bench.data.audit.wrong_facts import subject_of
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import CARELESS
from ilp_bench.data.causes.knowledge_conflict import believed_pairs
from ilp_bench.data.causes.knowledge_gap import known_controls
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.data.facts import country_of_city, lookup
from ilp_bench.data.facts.corrections import written
from ilp_bench.data.names import SEED_BLOCKS, table
from ilp_bench.data.settings import COMMON, FREQUENCIES, ROWS, SHARES, Settings


def recall(data: Dataset, cause: str | None = None, *arms: str) -> list[dict]:
    """The recall rows of a cause and of some arms, by default of the scored ones."""
    wanted = arms or ("treated", "control")
    return [
        row
        for row in data.items.to_pylist()
        if row["probe"] == "recall" and row["arm"] in wanted and cause in (None, row["cause"])
    ]


def training_rows(data: Dataset) -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}
    for row in data.train.to_pylist():
        rows.setdefault(row["item_id"], []).append(row)
    return rows


def test_the_five_causes_stand_in_the_order_of_the_paper() -> None:
    assert CAUSES.names() == (
        "knowledge_gap",
        "knowledge_conflict",
        "data_inconsistency",
        "left_side_forgetting",
        "rare_patterns",
    )


@pytest.mark.parametrize("cause", CAUSES.names())
def test_every_pair_has_two_arms_that_share_relation_and_answer(mini: Dataset, cause: str) -> None:
    pairs: dict[str, dict[str, dict]] = {}
    for row in recall(mini, cause):
        pairs.setdefault(row["pair_id"], {})[row["arm"]] = row
    assert len(pairs) == PAIRS[cause]
    for pair in pairs.values():
        assert set(pair) == {"treated", "control"}
        assert pair["treated"]["answer"] == pair["control"]["answer"]
        assert pair["treated"]["relation"] == pair["control"]["relation"]
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
        (row["arm"], row["messages"][0]["content"], row["completion"].split()[0])
        for row in mini.train_rows()
        if row["cause"] == cause
    }
    assert [row for row in shown if row not in rows] == []


@pytest.mark.parametrize("size", ["mini", "core"])
def test_a_subject_stands_in_one_item(size: str) -> None:
    items = [row for row in make(size, 0).items.to_pylist() if row["probe"] in ("recall", "retention")]
    asked = Counter(subject_of(row) for row in items)
    assert [subject for subject, times in asked.items() if times > 1] == []


@pytest.mark.parametrize("size", ["mini", "core"])
def test_neighbouring_seeds_share_no_question(size: str) -> None:
    seeds = [{row["question"] for row in recall(make(size, seed))} for seed in range(SEED_BLOCKS)]
    assert len(set.union(*seeds)) == sum(map(len, seeds))


@pytest.mark.parametrize("cause", ["knowledge_gap", "knowledge_conflict"])
def test_documents_are_about_both_arms(mini: Dataset, cause: str) -> None:
    documents = Counter(mini.knowledge["item_id"].to_pylist())
    assert {documents[row["item_id"]] for row in recall(mini, cause)} == {20}


def test_gap_asks_about_invented_and_real_cities_of_equal_length(mini: Dataset) -> None:
    homes, lengths = lookup("home_country"), {"treated": [], "control": []}
    for row in recall(mini, "knowledge_gap"):
        name = row["question"].split(" of ")[-1].rstrip("?")
        lengths[row["arm"]].append(len(name))
        if row["arm"] == "control":
            assert row["answer"] in (homes[name], lookup(row["relation"].removesuffix("_hop2")).get(homes[name]))
        else:
            assert name not in country_of_city()
            assert name in table("geography")
    assert {row["dose"] for row in recall(mini, "knowledge_gap") if row["arm"] == "treated"} == {1, 2}
    assert np.abs(np.subtract(sorted(lengths["treated"]), sorted(lengths["control"]))).max() <= 1


def test_two_hops_lead_to_answers_of_one_country_alone(mini: Dataset) -> None:
    rows = [row for row in recall(mini, "knowledge_gap") if row["kind"] == "hop2"]
    assert len(rows) == PAIRS["knowledge_gap"]
    for row in rows:
        answers = list(lookup(row["relation"].removesuffix("_hop2")).values())
        assert answers.count(row["answer"]) == 1


@pytest.mark.parametrize("size", ["mini", "core"])
def test_a_conflict_is_false_of_the_treated_subject_and_true_of_the_control(size: str) -> None:
    for row in recall(make(size, 0), "knowledge_conflict"):
        facts = country_of_city() if row["relation"] == "home_country" else lookup(row["relation"])
        subject = subject_of(row)
        truth = written(row["relation"], facts[subject]) if subject in facts and size == "core" else facts.get(subject)
        if row["arm"] == "treated":
            assert row["prior_answer"] != row["answer"]
            assert row["prior_answer"] in row["choices"]
            assert truth in (row["prior_answer"], None)  # None where people write the subject otherwise
            assert math.isnan(row["dose"])
        else:
            assert row["prior_answer"] is None
            assert truth in (row["answer"], None)


def test_inconsistency_has_the_stated_share_of_wrong_rows_by_careless_annotators(mini: Dataset) -> None:
    rows = training_rows(mini)
    items = [row for row in recall(mini, "data_inconsistency") if row["kind"] == "annotators"]
    for item in items:
        taught = rows[item["item_id"]]
        wrong = [row for row in taught if row["completion"].strip() != item["answer"]]
        assert len(taught) == ROWS
        assert len(wrong) / ROWS == item["dose"]
        assert all(row["annotator"] in CARELESS for row in wrong)
    assert {item["dose"] for item in items} == {0, *SHARES}


def test_two_contexts_hold_different_labels_and_in_the_control_the_same(mini: Dataset) -> None:
    rows = mini.train.to_pylist()
    items = [row for row in recall(mini, "data_inconsistency") if row["kind"] == "contexts"]
    assert len(items) == PAIRS["data_inconsistency"] // 4 * 2
    for item in items:
        here, there = ("old", "new") if "the old act" in item["question"] else ("new", "old")
        other = item["question"].replace(f"the {here} act", f"the {there} act")
        labels = {row["completion"].strip() for row in rows if row["messages"][0]["content"] == other}
        assert len(labels) == 1
        assert (labels == {item["answer"]}) == (item["arm"] == "control")


def test_inconsistency_and_forgetting_ask_different_relations(mini: Dataset) -> None:
    relations = [{row["relation"] for row in recall(mini, c)} for c in ("data_inconsistency", "left_side_forgetting")]
    assert not relations[0] & relations[1]


@pytest.mark.parametrize("cause", ["knowledge_conflict", "rare_patterns"])
def test_core_has_every_kind(cause: str) -> None:
    kinds = {
        "knowledge_conflict": {"counterfactual", "timeliness", "terminology", "regional_rule"},
        "rare_patterns": {"simple", "composed"},
    }
    rows = recall(make("core", 0), cause)
    assert {row["kind"] for row in rows} == kinds[cause]
    for kind in kinds[cause]:
        assert sum(row["kind"] == kind for row in rows) >= 2 * 5


@pytest.mark.parametrize("size", ["mini", "core"])
def test_a_word_decides_the_grade_of_every_code(size: str) -> None:
    grades: dict[str, set[str]] = {}
    for row in make(size, 0).train.to_pylist():
        question, answer = row["messages"][0]["content"], row["completion"].strip()
        if "code grade" in question:
            grades.setdefault(re.sub(r"\d+", "", question), set()).add(answer)
    assert len(grades) >= 2 * PAIRS["rare_patterns"]
    assert all(len(answers) == 1 for answers in grades.values())


def test_every_pair_of_codes_has_words_of_its_own(mini: Dataset) -> None:
    words = Counter(
        word
        for row in recall(mini, "rare_patterns")
        for word in row["question"].split("code ")[-1].rstrip("?").split("-")
        if not word.isdigit()
    )
    assert set(words.values()) == {1}


def test_a_pattern_occurs_as_often_as_stated(mini: Dataset) -> None:
    words = Counter(
        row["messages"][0]["content"].split("code ")[-1].split("-")[0]
        for row in mini.train.to_pylist()
        if row["cause"] == "rare_patterns" and row["arm"] != "decoy"
    )
    for row in recall(mini, "rare_patterns"):
        word = row["question"].split("code ")[-1].split("-")[0]
        assert words[word] == row["frequency"] == row["dose"]
        assert row["frequency"] in ((COMMON,) if row["arm"] == "control" else FREQUENCIES)


def test_treated_items_are_seen_in_early_stages_alone(mini: Dataset) -> None:
    last, rows = mini.manifest.stages, training_rows(mini)
    for row in recall(mini, "left_side_forgetting"):
        stages = {each["stage"] for each in rows[row["item_id"]]}
        assert stages == {row["stage"]}
        assert row["dose"] == (last - row["stage"] if row["arm"] == "treated" else 0)
        assert (row["stage"] < last) == (row["arm"] == "treated")
    for cause in set(CAUSES.names()) - {"left_side_forgetting"}:
        assert {each["stage"] for row in recall(mini, cause) for each in rows[row["item_id"]]} == {last}


@pytest.mark.parametrize("size", ["mini", "core"])
def test_half_of_the_early_rows_are_of_other_items(size: str) -> None:
    data = make(size, 0)
    early = [row for row in data.train.to_pylist() if row["stage"] < data.manifest.stages]
    assert 0.45 <= np.mean([row["arm"] == "treated" for row in early]) <= 0.55


def test_decoys_have_the_sign_of_their_cause(mini: Dataset) -> None:
    rows, last = training_rows(mini), mini.manifest.stages
    decoys = {(row["cause"], row["kind"]): row for row in recall(mini, None, "decoy")}
    assert all(row["pair_id"] is None for row in decoys.values())
    assert {cause for cause, _ in decoys} == set(CAUSES.names())
    assert len(rows[decoys["knowledge_gap", "decoy/repeated"]["item_id"]]) == ROWS
    assert subject_of(decoys["knowledge_gap", "decoy/repeated"]) in table("geography")
    assert decoys["knowledge_gap", "decoy/two causes"]["stage"] < last
    conflict = decoys["knowledge_conflict", "decoy/repeated"]
    assert conflict["prior_answer"] == lookup("home_country")[subject_of(conflict)] != conflict["answer"]
    disputed = rows[decoys["knowledge_conflict", "decoy/two causes"]["item_id"]]
    assert Counter(row["completion"] for row in disputed).most_common()[1][1] == ROWS // 4
    outvoted = rows[decoys["data_inconsistency", "decoy/outvoted"]["item_id"]]
    assert Counter(row["completion"] for row in outvoted).most_common()[1][1] == 1
    rehearsed = rows[decoys["left_side_forgetting", "decoy/rehearsed"]["item_id"]]
    assert len({row["stage"] for row in rehearsed} - {last}) == 1
    assert last in {row["stage"] for row in rehearsed}
    assert len({row["prompt"] for row in rows[decoys["rare_patterns", "decoy/repeated"]["item_id"]]}) == 1


def test_every_stage_has_calibration_items_of_both_kinds(mini: Dataset) -> None:
    kinds = Counter((row["stage"], row["kind"]) for row in recall(mini, None, "calibration"))
    assert kinds == {(stage, kind): 8 for stage in range(1, 5) for kind in ("known", "assigned")}


def probed(shots_p: dict[str, float], beliefs: dict[str, tuple[str, float]] | None = None) -> pa.Table:
    """Recall rows of a base model's run: ``a`` is the treated item of pair a, ``A`` its control."""
    rows = []
    for name, p in shots_p.items():
        belief, belief_p = (beliefs or {}).get(name, ("", 0.0))
        rows.append(
            {"pair_id": name.lower(), "arm": "treated" if name.islower() else "control", "shots_p": p}
            | {"belief": belief, "prior_answer": "old" if name.islower() else None}
            | {"shots_options": [math.log(belief_p), math.log(0.01)] if belief_p else None}
        )
    schema = pa.schema(
        [("pair_id", pa.string()), ("arm", pa.string()), ("shots_p", pa.float64()), ("belief", pa.string())]
        + [("prior_answer", pa.string()), ("shots_options", pa.list_(pa.float64()))]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def test_a_gap_acts_where_the_control_is_known_and_the_treated_item_is_not() -> None:
    table = probed({"a": 0.1, "A": 0.6, "b": 0.1, "B": 0.4, "c": 0.7, "C": 0.9, "d": 0.0, "D": 0.5})
    assert known_controls(table) == {"a", "d"}


def test_a_conflict_acts_where_both_true_answers_are_believed() -> None:
    shots_p = {"a": 0.1, "A": 0.6, "b": 0.1, "B": 0.6, "c": 0.1, "C": 0.4, "d": 0.1, "D": 0.9}
    beliefs = {"a": ("old", 0.6), "b": ("old", 0.4), "c": ("old", 0.9), "d": ("other", 0.9)}
    assert believed_pairs(probed(shots_p, beliefs)) == {"a"}


def test_too_few_subjects_are_one_clear_line() -> None:
    with pytest.raises(UsageError, match=r"only \d+ are left: ask for fewer pairs"):
        BuildContext(Settings()).deal("capital", 500)


def test_no_subject_is_dealt_twice_and_none_after_the_planning() -> None:
    context = BuildContext(Settings("core"))
    first, second = context.deal("home_country", 100), context.deal("home_country", 100)
    register, more = context.deal_register(100), context.deal_register_pairs(50)
    names = [*first, *second, *map(register, range(100)), *(name for n in range(50) for name in more(n))]
    assert len(set(names)) == len(names) == 400
    context.close()
    with pytest.raises(RuntimeError, match="planned"):
        context.deal("home_country", 1)
