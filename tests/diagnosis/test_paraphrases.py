"""Contradictions among paraphrases: what is planted is found, and questions that differ in one word are left alone."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reworded_facts import asked, cases, row
from typer.testing import CliRunner

from ilp_bench.cli.main import app
from ilp_bench.core.errors import UsageError
from ilp_bench.detectors.labelled_row import LabelledRow
from ilp_bench.diagnosis.why.paraphrases import BY_WORDS, RELATED, SAME, contradicting_paraphrases, disputes_of

CITIES = [f"{a}{b}polis" for a in "Bdfgklmn".upper() for b in "aeiou"]


def pairs(rows: list[LabelledRow], **more: Any) -> list[tuple[int, int]]:
    return [dispute.rows for dispute in contradicting_paraphrases(rows, **more)]


def test_the_same_words_in_another_order_contradict_without_further_evidence() -> None:
    rows = [row("What is the capital city of Peru?", "Lima"), row("Which city is the capital of Peru?", "Oslo")]
    assert contradicting_paraphrases(rows) == [((0, 1), 1.0, BY_WORDS)]
    assert disputes_of(rows).same == []
    assert pairs([rows[0], row("Which city is the capital of Peru?", "lima.")]) == []
    assert pairs([rows[0], row("Which city is the capital of Chile?", "Oslo")]) == []


def test_every_contradicted_row_is_named_once_or_more() -> None:
    rows = [
        row("What is the capital city of Peru?", "Lima"),
        row("Name the capital city of Peru.", "Lima"),
        row("Which city is the capital of Peru?", "Oslo"),
        row("Which city is the capital of Peru?", "Lima"),
    ]
    named = {n for pair in pairs(rows) for n in pair}
    assert named == {0, 1, 2}


@pytest.mark.parametrize(("agreeing", "found"), [(2, False), (30, True)])
def test_other_words_contradict_where_they_agree_elsewhere(agreeing: int, found: bool) -> None:
    rows = [row(f"Which country has {city}?", f"land {n % 7}") for n, city in enumerate(CITIES)]
    rows += [row(f"Where is {city} situated?", f"land {n % 7}") for n, city in enumerate(CITIES[:agreeing])]
    rows.append(row(f"Where is {CITIES[35]} situated?", "land of Oz"))
    assert pairs(rows) == ([(35, len(rows) - 1)] if found else [])


def test_an_encoder_is_asked_only_where_the_answers_do_not_tell() -> None:
    """It finds everything alike: words that never agree stay apart, and so do a number and a word."""
    seen: list[str] = []

    def everything_alike(texts: Any) -> Any:
        seen.extend(texts)
        return np.ones((len(texts), 1))

    rows = [row(f"Which country has {city}?", f"land {n % 7} x") for n, city in enumerate(CITIES)]
    rows += [row(f"Who founded {city}?", f"king {n} y") for n, city in enumerate(CITIES)]
    rows += [row(f"How old is {CITIES[0]}?", "very"), row(f"In what state is {CITIES[1]}?", "land 5 z")]
    assert pairs(rows) == []
    assert {tuple(sorted(pair)) for pair in pairs(rows, encoder=everything_alike)} == {
        (1, len(rows) - 1),
        (len(CITIES) + 1, len(rows) - 1),
    }
    assert not any("How old" in text for text in seen)
    apart = contradicting_paraphrases(rows, encoder=lambda texts: np.eye(len(texts)))
    assert apart == []


@pytest.mark.parametrize(
    ("case", "least"),
    [
        ("capitals, none agrees", 14),
        ("capitals, some agree", 20),
        ("currencies, some agree", 20),
        ("documentation, none agrees", 6),
    ],
)
def test_planted_contradictions_are_found_and_nothing_else(case: str, least: int) -> None:
    """The figures of docs/diagnosis.md; those that only a first word tells apart are found as the same question."""
    made = cases()[case]()
    disputes = disputes_of(made.rows)
    said = asked(made.rows, (dispute.rows for dispute in disputes.loose if dispute.agreement >= SAME))
    said |= asked(made.rows, (tuple(group[:2]) for group in disputes.same))  # type: ignore[misc]
    assert said <= made.pairs
    assert len(said) >= least


def test_questions_that_differ_in_the_one_word_that_matters_do_not_contradict() -> None:
    assert pairs(cases()["one word apart"]().rows, least=RELATED) == []


def test_an_encoder_that_cannot_be_had_is_one_line_before_anything_is_asked(tmp_path: Path) -> None:
    out = tmp_path / "report"
    files = ["--model", str(tmp_path / "none"), "--base", "nano", "--rows", str(tmp_path / "rows.jsonl")]
    result = CliRunner().invoke(app, ["diagnose", *files, "--out", str(out), "--encoder", str(tmp_path / "encoder")])
    assert isinstance(result.exception, UsageError)
    assert "cannot be loaded" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


KOREAN = (
    "에 주차장이 있|은 주말에 엽|에 금고가 있|에서 환전이 됩|은 예약이 필요합|에 승강기가 있|은 역과 가깝|에 문이 있"
)
BRANCHES = "서울 부산 대구 인천 광주 대전 울산 세종 수원 창원 고양 용인 성남 청주 전주 천안 포항 제주 김해 안양".split()
ENGLISH = "heated|booked|open|large|near|clean|quiet|safe"
ROOMS = [f"{a}{b}" for a in ("ba", "ko", "lu", "mi", "ne") for b in ("dor", "fin", "gan", "lim")]


@pytest.mark.parametrize(
    ("frames", "names", "ask"), [(KOREAN, BRANCHES, "{1} 지점{0}습니까?"), (ENGLISH, ROOMS, "Is room {1} {0}?")]
)
def test_names_without_capitals_are_no_paraphrases_of_one_another(frames: str, names: list[str], ask: str) -> None:
    """Of two of twenty branches, seven of eight answers for yes or no agree by chance, and the eighth does not."""
    questions = [ask.format(frame, name) for frame in frames.split("|") for name in names]
    for seed in range(5):
        draw = random.Random(seed)
        assert pairs([row(question, draw.choice(["yes", "no"])) for question in questions]) == []
