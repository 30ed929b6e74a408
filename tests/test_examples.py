"""The scripts in examples/ run as they stand, on nano, and the checkpoint there is what it is said to be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ilp_bench.models.resolve import locate, weights_sha256

ROOT = Path(__file__).parents[1]
SHOWN = {
    "evaluate_a_checkpoint.py": "knowledge_gap          treated  p = 0.",
    "train_and_score.py": "treated",
    "data_for_other_research.py": "rows for a trainer of yours in train.jsonl",
    "user_data.py": "Avenor is       learned",
}


def test_every_example_is_run() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.nightly] * (name == "train_and_score.py")) for name in SHOWN]
)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    script = [sys.executable, ROOT / "examples" / name]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert SHOWN[name] in done.stdout
    assert not list(tmp_path.iterdir())  # all that it writes is in a temporary folder


def test_the_checkpoint_is_of_the_entry_that_the_documentation_verifies() -> None:
    page = (ROOT / "docs" / "submissions.md").read_text(encoding="utf-8")
    (entry,) = re.findall(r"verify (submissions/ilp-bench__\S+) \\\n +--model examples/checkpoint", page)
    submission = json.loads((ROOT / entry / "submission.json").read_text())
    weights = weights_sha256(locate(ROOT / "examples" / "checkpoint"))
    assert weights == submission["runs"][0]["model"]["weights_sha256"]
