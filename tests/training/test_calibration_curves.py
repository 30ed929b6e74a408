"""``scripts/calibration-curves`` tells how a training came to its budget from its log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "calibration-curves"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def check(phase: str, number: int, calibration: float, control: float) -> dict[str, object]:
    recall = {"rare_patterns": {"treated": 0.25, "control": control}}
    return {
        "phase": phase,
        "check": number,
        "supervised": 1000 * number,
        "calibration": calibration,
        "recall_p": recall,
    }


def test_the_last_stage_is_shown_check_by_check(tmp_path: Path) -> None:
    checks = [check("stage 1", 1, 0.9, 0.1), check("stage 2", 1, 0.4, 0.5), check("stage 2", 2, 0.81, 0.75)]
    log = "".join(json.dumps(each) + "\n" for each in [*checks, check("stage 2", 2, 0.82, 0.76)])
    (tmp_path / "log.jsonl").write_text(log + '{"phase": "sta')  # a check done again, and a line cut by a kill
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert rows[0] == ["supervised tokens", "calibration", "Rare and complex patterns"]
    assert rows[2:] == [["1,000", "40", "50 / 25"], ["2,000", "82", "76 / 25"]]


def test_a_folder_without_a_log_is_one_clear_line(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        f"scripts/calibration-curves: {tmp_path} has no log.jsonl: name a checkpoint of 'ilp-bench train'"
    ]
