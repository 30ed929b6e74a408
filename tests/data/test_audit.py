import dataclasses

import pyarrow as pa
import pytest

from ilp_bench.data.audit import audit
from ilp_bench.data.dataset import Dataset, make


@pytest.mark.parametrize(("size", "seed"), [("mini", 0), pytest.param("core", 1, marks=pytest.mark.slow)])
def test_the_arms_differ_in_nothing_but_the_cause(size: str, seed: int) -> None:
    report = audit(make(size, seed))
    assert report.problems == []
    assert len(report.balance) == 5 * 6
    assert not any(report.leaks.values())
    text = report.to_markdown()
    assert "0 problems" in text
    assert "**fails**" not in text


def changed(data: Dataset, table: str, change) -> Dataset:
    rows = getattr(data, table).to_pylist()
    for row in rows:
        change(row)
    return dataclasses.replace(data, **{table: pa.Table.from_pylist(rows, schema=getattr(data, table).schema)})


def treated(row: dict, cause: str) -> bool:
    return row["cause"] == cause and row["arm"] == "treated"


def test_a_longer_prompt_in_one_arm_is_found(mini: Dataset) -> None:
    def lengthen(row: dict) -> None:
        if treated(row, "rare_patterns"):
            row["prompt"] += " Please."

    assert any("prompt length" in problem for problem in audit(changed(mini, "items", lengthen)).problems)


def test_an_answer_that_only_one_arm_has_is_found(mini: Dataset) -> None:
    def tilt(row: dict) -> None:
        if treated(row, "left_side_forgetting") and row["dose"] > 1:
            row["answer"] = "owl"

    report = audit(changed(mini, "items", tilt))
    assert report.leaks["pair whose two answers differ"] >= 25
    answers = next(b for b in report.balance if (b.cause, b.quantity) == ("left_side_forgetting", "answers"))
    assert answers.p_value < 1e-4 or answers.effect > 0.1


def test_a_word_that_tells_the_arm_is_found(mini: Dataset) -> None:
    def mark(row: dict) -> None:
        if treated(row, "data_inconsistency"):
            row["question"] += " Really?"

    assert any("tell the arm" in problem for problem in audit(changed(mini, "items", mark)).problems)


def test_leaks_are_found(mini: Dataset) -> None:
    probe = next(row for row in mini.items.to_pylist() if row["probe"] == "paraphrase")
    question = mini.train.to_pylist()[0]["messages"][0]["content"]

    def leak(row: dict) -> None:
        if row["row_id"] == "row-000700":
            row["prompt"] = probe["prompt"]

    def quiz(row: dict) -> None:
        if row["document_id"].endswith("/07"):
            row["text"] = f"He asked: {question} Nobody knew."

    assert any("paraphrase" in problem for problem in audit(changed(mini, "train", leak)).problems)
    report = audit(changed(mini, "knowledge", quiz))
    assert report.leaks["document that holds a scored or trained question"] == mini.knowledge.num_rows // 20


def test_a_subject_in_two_items_is_found(mini: Dataset) -> None:

    def repeat(row: dict) -> None:
        if row["pair_id"] == "rare_patterns-0001" and row["arm"] == "control" and row["probe"] == "recall":
            row["question"] = first["question"]

    first = next(row for row in mini.items.to_pylist() if row["probe_id"] == "rare_patterns-0000-treated/recall")
    assert audit(changed(mini, "items", repeat)).leaks["subject in two items"] == 1


def test_a_relation_that_one_arm_practises_more_is_found(mini: Dataset) -> None:
    dropped = ("knowledge_gap-0000-treated", "knowledge_gap-0001-treated", "knowledge_gap-0003-treated")
    kept = [row for row in mini.train.to_pylist() if row["item_id"] not in dropped]
    data = dataclasses.replace(mini, train=pa.Table.from_pylist(kept, schema=mini.train.schema))
    leaks = audit(data).leaks
    assert leaks["relation that the arms of a cause practise unequally"] == 3


def test_documents_of_one_arm_alone_are_found(mini: Dataset) -> None:
    kept = [row for row in mini.knowledge.to_pylist() if "-treated/" in row["document_id"]]
    data = dataclasses.replace(mini, knowledge=pa.Table.from_pylist(kept, schema=mini.knowledge.schema))
    problems = audit(data).problems
    assert any("knowledge_conflict: words and features tell the arm" in problem for problem in problems)


def test_a_sign_without_decoys_is_found(mini: Dataset) -> None:
    def score(row: dict) -> None:
        if row["arm"] == "decoy":
            row["arm"] = "treated"

    problems = audit(changed(mini, "items", score)).problems
    assert any("invented place is on 0 other items only" in problem for problem in problems)


def test_a_name_that_exists_is_found(mini: Dataset) -> None:
    def real(row: dict) -> None:
        if row["probe_id"] == "knowledge_gap-0000-treated/recall":
            row["question"] = "What is the home country of Tonstad?"

    assert any("invented name that exists" in problem for problem in audit(changed(mini, "items", real)).problems)
