"""Each fault before the five causes, made on purpose, is named and no cause is; a sound training names none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from broken_trainings import FAULTS, Taught, diagnosed, teach

WORDS = {  # fault -> what the deciding figure says
    "bare prompts of a chat training": "in the chat template",
    "conversations of a training on bare prompts": "as Question: … Answer: …",
    "answers without the newline that was trained": "'\\n'",
    "held-out rows that are trained": "4 of 8",
}
LARGER = Path(os.environ.get("SMOLLM2", "smollm2-135m-instruct"))  # a folder with a larger model


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_nano_is_named_and_nothing_else(fault: str, taught: Path, tmp_path: Path) -> None:
    result = diagnosed(fault, Taught(taught, "nano", tmp_path))
    report, expected = result.report, FAULTS[fault][0]
    assert [check.name for check in report.named] == expected
    assert report.explained == bool(expected and expected != ["duplicates"])
    if report.explained:
        assert not report.causes
        assert not any(row.reasons for row in result.rows)
        assert all(check.remedy for check in report.named)
    else:
        assert report.learned.value == 1
    assert WORDS.get(fault, "") in "".join(check.figure for check in report.named)
    written = {file.name for file in (tmp_path / "report").iterdir()}
    assert written >= {"index.html", "report.json", "rows.parquet", "runs", "data"}
    assert not (tmp_path / "report.partial").exists()


@pytest.mark.nightly
@pytest.mark.skipif(not LARGER.is_dir(), reason="no SmolLM2-135M-Instruct: set SMOLLM2 to its folder")
def test_every_fault_of_a_larger_model_is_named(tmp_path: Path) -> None:
    tuned = teach(tmp_path / "tuned", str(LARGER))
    for number, (fault, (expected, _)) in enumerate(FAULTS.items()):
        work = tmp_path / str(number)
        work.mkdir()
        report = diagnosed(fault, Taught(tuned, str(LARGER), work)).report
        assert [check.name for check in report.named] == expected, fault
        if expected and expected != ["duplicates"]:
            assert report.explained, fault
            assert report.causes == [], fault
