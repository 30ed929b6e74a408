"""The checks for cause 0 on made-up figures: at which figure each turns, and which comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from user_rows import assistant, of_boxes, user, write_lines

from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.asking.free_answers import rouge_l
from ilp_bench.diagnosis.asking.held_out import held_out_in_training, held_out_questions
from ilp_bench.diagnosis.cause_zero.asked_otherwise import asked_otherwise, end_not_learned
from ilp_bench.diagnosis.cause_zero.check import Asked, AskedRow
from ilp_bench.diagnosis.cause_zero.decide import CHECKS, cause_zero
from ilp_bench.diagnosis.cause_zero.never_in_loss import masked, truncated
from ilp_bench.diagnosis.cause_zero.undertrained import undertrained
from ilp_bench.diagnosis.cause_zero.wrong_model import another_base
from ilp_bench.diagnosis.probes import AS_ASKED, BASE, ModelFacts, Probes, TrainerNotes, WayScores

FACTS = ModelFacts(
    same_weights=False, distance=0.1, vocabulary=9, base_vocabulary=9, renumbered=0, added=0, notes=TrainerNotes()
)


def way(name: str, answer: float, end: float = 0.9, loss: float = 0.1, count: int = 30) -> WayScores:
    spread = [answer + (0.01 if n % 2 else -0.01) for n in range(count)]
    return WayScores(name=name, answers=spread, ends=[end] * count, loss=[loss] * count)


def asked(values: list[float], ways: list[WayScores] | None = None, **more: Any) -> Asked:
    """Short rows that are reproduced so far, and a probe of which all ways but the first are others."""
    rows = [AskedRow(f"item-{n}", value, value >= 0.5, 10, [value >= 0.5] * 4, False) for n, value in enumerate(values)]
    facts = FACTS.model_copy(update=more.pop("facts", {}))
    losses = more.pop("prompts", ([1.0] * 30, [1.0] * 30))
    probes = Probes(
        item_ids=[],
        ways=ways or [way(AS_ASKED, sum(values) / len(values))],
        ends=more.pop("ends", {}),
        base=way(BASE, 0.01, loss=5.0),
        prompt_losses=losses[0],
        base_prompt_losses=losses[1],
        facts=facts,
    )
    return Asked(rows, probes, **more)


def test_a_half_learned_training_has_no_cause_zero() -> None:
    decided = cause_zero(asked([0.9] * 20 + [0.1] * 20))
    assert [check.name for check in decided.checks if check.state == "named"] == []
    assert not decided.explains
    assert len(decided.checks) == len(CHECKS)
    assert all(check.figure for check in decided.checks)


@pytest.mark.parametrize(("gain", "state"), [(0.05, "clear"), (0.3, "named")])
def test_another_way_of_asking_must_gain_beyond_noise(gain: float, state: str) -> None:
    ways = [way(AS_ASKED, 0.2), way("in another way", 0.2 + gain), way("in a third", 0.1)]
    check = asked_otherwise(asked([0.2] * 30, ways))
    assert check.state == state
    assert "in another way" in check.figure
    assert f"{gain:.2f}" in check.figure
    assert check.way == ("in another way" if state == "named" else "")


def test_another_way_that_may_gain_enough_is_not_ruled_out() -> None:
    other = way("in another way", 0.0).model_copy(update={"answers": [0.0, 0.24] * 15})
    check = asked_otherwise(asked([0.0] * 30, [way(AS_ASKED, 0.0), other]))
    assert check.state == "unknown"
    assert "changes it by 0.12 [0.0" in check.figure


def test_an_end_that_was_never_trained_and_one_that_is_another() -> None:
    ways = [way(AS_ASKED, 0.95, end=0.01)]
    never = end_not_learned(asked([0.01] * 30, ways, ends={"\n": 0.02}))
    other = end_not_learned(asked([0.01] * 30, ways, ends={"\n": 0.97}))
    assert never.state == other.state == "named"
    assert "train the end" in never.remedy
    assert "'\\n'" in other.remedy
    assert end_not_learned(asked([0.9] * 30)).state == "clear"
    assert end_not_learned(asked([0.0] * 30, [way(AS_ASKED, 0.1, end=0.01)])).state == "unknown"


def test_a_reason_for_all_rows_makes_the_later_checks_moot() -> None:
    ways = [way(AS_ASKED, 0.02), way("in the chat template", 0.95)]
    decided = cause_zero(asked([0.02] * 30, ways))
    assert [check.name for check in decided.checks if check.state == "named"] == ["asked_otherwise"]
    assert set(decided.reason_of.values()) == {"asked_otherwise"}
    moot = next(check for check in decided.checks if check.name == "undertrained")
    assert (moot.state, moot.remedy) == ("unknown", "")
    assert "not judged" in moot.figure


def long(count: int, known: int, length: int) -> list[AskedRow]:
    greedy = [n < known for n in range(length)]
    return [AskedRow(f"long-{n}", known / length, known == length, 20, greedy, False) for n in range(count)]


def test_what_lies_beyond_the_length_decides_and_not_the_length_alone() -> None:
    cut = asked([0.9] * 10)._replace(rows=long(6, 108, 300), max_length=128)
    assert truncated(cut).state == "named"
    assert len(truncated(cut).item_ids or ()) == 6
    assert truncated(cut._replace(max_length=None)).state == "named"  # 128 is a usual limit
    whole = cut._replace(rows=long(6, 300, 300))
    assert truncated(whole).state == "clear"
    assert truncated(cut._replace(max_length=1024)).state == "clear"
    half_known = cut._replace(rows=long(6, 150, 300), max_length=None)  # at no usual limit
    assert truncated(half_known).state == "clear"


def test_masked_needs_prompts_that_were_learned() -> None:
    nothing = [way(AS_ASKED, 0.01, loss=5.0)]
    learned_prompts = ([1.0] * 30, [3.0] * 30)
    assert masked(asked([0.01] * 30, nothing, prompts=learned_prompts)).state == "named"
    assert masked(asked([0.01] * 30, nothing)).state == "clear"
    assert masked(asked([0.9] * 30, prompts=learned_prompts)).state == "clear"


def test_undertrained_is_measured_against_what_the_base_model_lacks() -> None:
    assert undertrained(asked([0.1] * 40)).state == "named"
    assert undertrained(asked([0.4] * 40)).state == "clear"
    assert undertrained(asked([0.9] * 40)).state == "clear"
    said = undertrained(asked([0.1] * 40, facts={"notes": TrainerNotes(epochs=0.1, learning_rate=1e-7)}))
    assert "learning rate 1e-07" in said.figure


def test_a_base_of_another_precision_is_no_other_base() -> None:
    assert another_base(asked([0.9] * 9, facts={"distance": 0.01, "adapter_base": "org/base"})).state == "clear"
    assert another_base(asked([0.9] * 9, facts={"distance": 0.2, "adapter_base": "org/base"})).state == "named"
    assert another_base(asked([0.9] * 9, facts={"distance": 0.2})).state == "clear"
    # nano after 180 steps at a rate of 6e-3; two models that have nothing in common lie 1 apart or more.
    assert another_base(asked([0.9] * 9, facts={"distance": 0.75})).state == "clear"
    assert another_base(asked([0.9] * 9, facts={"distance": 1.0})).state == "named"
    assert another_base(asked([0.9] * 9, facts={"distance": None})).state == "unknown"


def test_held_out_rows_explain_no_training_row() -> None:
    decided = cause_zero(asked([0.9] * 20 + [0.1] * 5, duplicates=(5, 10)))
    assert [check.name for check in decided.checks if check.state == "named"] == ["duplicates"]
    assert not decided.explains
    assert not decided.reason_of


@pytest.mark.parametrize("prompts", [("Be brief.",), ("Be brief.", "Be kind.")])
def test_held_out_questions_are_found_under_one_system_prompt_or_several(
    tmp_path: Path, prompts: tuple[str, ...]
) -> None:
    """A prompt that all rows have is no part of what they ask, one of several is."""
    rows = of_boxes(lambda a, b: [{"role": "system", "content": prompts[len(b) % len(prompts)]}, user(a), assistant(b)])
    data = import_rows(write_lines(tmp_path, [{"messages": turns} for turns in rows]))
    held_out = write_lines(tmp_path, [{"messages": turns} for turns in rows[:2] * 5], "held-out.jsonl")
    assert held_out_in_training(held_out_questions(str(held_out), {}), data) == (2, 2)


def test_held_out_rows_are_read_as_the_training_rows_or_by_their_own_columns(tmp_path: Path) -> None:
    columns = {"prompt": "질문", "completion": "답변"}
    rows = of_boxes(lambda a, b: {"질문": f"{a} 상자의 색은?", "답변": b})
    data = import_rows(write_lines(tmp_path, rows), columns=columns)
    alike = write_lines(tmp_path, rows[:3], "held-out.jsonl")
    assert held_out_in_training(held_out_questions(str(alike), {"columns": columns}), data) == (3, 3)
    other = write_lines(tmp_path, [{"question": rows[0]["질문"], "answer": "x"}] * 2, "other.jsonl")
    assert held_out_in_training(held_out_questions(str(other), {"columns": columns}), data) == (1, 1)


def test_rouge_l_is_that_of_the_longest_common_subsequence() -> None:
    assert rouge_l("The red bead, then blue.", "the red bead then blue") == 1.0
    assert rouge_l("red blue green", "red green blue white") == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert rouge_l("black", "red") == 0.0
