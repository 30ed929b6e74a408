"""Whatever bytes come in, they are accepted or refused in words: properties, and the corpus of the fuzzer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from forging import honest_entry
from fuzz.target import KINDS, try_input
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilp_bench.core.untrusted import csv_text, markdown_text, text_problems, value_problems
from ilp_bench.leaderboard.site import render
from ilp_bench.submission.fields import run_id
from ilp_bench.submission.validate import check

CORPUS = sorted((Path(__file__).parents[1] / "fuzz" / "corpus").iterdir())
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest_entry(tmp_path_factory.mktemp("honest") / "submissions")


def put(folder: Path, content: dict[str, Any], root: Path) -> Path:
    """The submission with another content, hash and place as they must be."""
    shutil.rmtree(root, ignore_errors=True)
    content["run_id"] = run_id(content)
    place = root / f"{content['meta']['org']}__{content['meta']['model']}" / content["run_id"]
    shutil.copytree(folder, place)
    (place / "submission.json").write_text(json.dumps(content))
    return place


@pytest.mark.slow
@settings(FEW, max_examples=6)
@given(text=st.text(max_size=300))
def test_any_text_is_refused_or_shown_as_text(text: str, honest: Path, tmp_path: Path) -> None:
    """parse, validate, render: a description is either refused in words, or stands escaped on the page."""
    content = json.loads((honest / "submission.json").read_text())
    content["meta"]["description"] = f"<x-text>{text}</x-text>"
    if any(0xD800 <= ord(char) < 0xE000 for char in text):
        assert list(text_problems(text))
        return
    folder = put(honest, content, tmp_path / "submissions")
    found = check(folder)
    assert bool(found.problems) == bool(list(text_problems(f"<x-text>{text}</x-text>")))
    if not found.problems:
        render(tmp_path / "submissions", tmp_path / "site")
        for page in (tmp_path / "site").rglob("*.html"):
            assert f"<x-text>{text}</x-text>" not in page.read_text()


@FEW
@given(data=st.data())
def test_any_value_in_any_place_is_a_problem_and_never_a_crash(
    data: st.DataObject, honest: Path, tmp_path: Path
) -> None:
    content = json.loads((honest / "submission.json").read_text())
    at: Any = content
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        at = inner
    at[key] = data.draw(VALUES)
    changed = json.dumps(content)
    place = tmp_path / "submissions" / honest.parent.name / honest.name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(honest, place)
    (place / "submission.json").write_text(changed)
    found = check(place)
    assert all(isinstance(problem, str) and str(place) in problem for problem in found.problems)
    if not found.problems:  # only what does not count for the run id
        before = json.loads((honest / "submission.json").read_text())
        assert run_id(json.loads(changed)) == run_id(before)


FIELDS = (
    "recipe",
    "base",
    "data",
    "seed",
    "learning_rate",
    "batch_size",
    "lora",
    "found",
    "phases",
    "budget",
    "tokens",
)
PLAIN = st.text(st.characters(codec="ascii"), max_size=40) | st.text(max_size=5)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([0, -1, 2**53, 2**53 + 1, 10**30, 1e300])
ENTRY_VALUES = VALUES | PLAIN | NUMBERS | st.dictionaries(PLAIN, NUMBERS, max_size=2)


@settings(FEW, max_examples=40)
@given(data=st.data())
def test_what_validates_renders(data: st.DataObject, honest: Path, tmp_path: Path) -> None:
    """Any value in any field of a record, hash and place mended: the check refuses it, or the site shows it."""
    content = json.loads((honest / "submission.json").read_text())
    record = content["runs"][0]
    for _ in range(data.draw(st.integers(1, 2))):
        training, model = record["training"], record["model"]
        if isinstance(training, dict) and data.draw(st.booleans()):
            at, key = training, data.draw(st.sampled_from(FIELDS))
            if isinstance(training.get(key), dict) and data.draw(st.booleans()):
                at = training[key]
                key = data.draw(st.sampled_from([*at, "more"]))
        else:
            at, key = record, data.draw(st.sampled_from([*record, "model"]))
            if key == "model" and isinstance(model, dict):
                at, key = model, data.draw(st.sampled_from(sorted(model)))
        at[key] = data.draw(ENTRY_VALUES)
    try:
        folder = put(honest, content, tmp_path / "submissions")
    except (ValueError, OSError):  # text that no file holds
        return
    if not check(folder).problems:
        assert render(tmp_path / "submissions", tmp_path / "site", workers=1) == 1
        shutil.rmtree(tmp_path / "site")


@settings(max_examples=100, deadline=None)
@given(value=VALUES)
def test_what_passes_survives_a_round_trip(value: Any) -> None:
    if not list(value_problems(value)):
        assert json.loads(json.dumps(value, allow_nan=False)) == value


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_cells_hold_no_formula_and_no_markup(text: str) -> None:
    assert not csv_text(text).lstrip().startswith(("=", "+", "-", "@"))
    assert not set(markdown_text(text)) & set("<>\n\r@")


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_accepted_or_refused(data: bytes) -> None:
    try_input(data)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_samples_file_is_refused_in_words(data: st.DataObject, honest: Path) -> None:
    raw = bytearray((honest / "samples.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try_input(b"\x02" + bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2]))]))


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_the_corpus(file: Path) -> None:
    assert try_input(file.read_bytes()) == file.name.endswith("-accepted")


def test_the_corpus_has_every_kind() -> None:
    assert {file.read_bytes()[0] % len(KINDS) for file in CORPUS} == set(range(len(KINDS)))
