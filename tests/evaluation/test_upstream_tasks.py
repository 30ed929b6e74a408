"""The tasks for lm-eval's own repository: run by plain lm-eval where ``ilp_bench`` cannot be imported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.hub import push
from ilp_bench.models.nano import nano_path
from ilp_bench.records.run_record import Run

TASKS = Path(__file__).parents[2] / "integrations" / "lm_eval" / "ilp_bench"
ASKED = ("knowledge_gap", "rare_patterns")
# An import of a module that is None in sys.modules fails; lm-eval's own command follows.
PLAIN = "import sys; sys.modules['ilp_bench'] = None; from lm_eval.__main__ import cli_evaluate; cli_evaluate()"


def test_the_tasks_import_nothing_but_the_standard_library() -> None:
    imported = [line for line in (TASKS / "utils.py").read_text().splitlines() if line.startswith(("import", "from"))]
    assert imported == ["import math", "from collections import defaultdict", "from statistics import fmean"]
    tasks = {file.stem for file in TASKS.glob("ilp_bench_*.yaml")}
    assert tasks == {f"ilp_bench_{cause}_{probe}" for cause in CAUSES.names() for probe in ("recall", "paraphrase")}


def test_the_groups_hold_every_task() -> None:
    manager = TaskManager(include_path=str(TASKS), include_defaults=False)
    assert {"ilp_bench_reproduction", "ilp_bench_internalisation"} <= set(manager.all_groups)
    assert len(manager.all_tasks) == 2 + 2 * len(CAUSES.names())


@pytest.mark.nightly
def test_plain_lm_eval_gives_the_numbers_of_evaluate(data: Path, base_run: Run, tmp_path: Path) -> None:
    """The published layout, from a folder instead of the Hub, and mini instead of core; nothing else is changed."""
    push("ilp-bench/ilp-bench", [data], dry_run=tmp_path / "hub")
    shutil.copytree(TASKS, tmp_path / "tasks" / "ilp_bench")
    for file in (tmp_path / "tasks" / "ilp_bench").glob("*.yaml"):
        text = file.read_text().replace("dataset_name: core-", "dataset_name: mini-")
        file.write_text(text.replace("dataset_path: ilp-bench/ilp-bench", f"dataset_path: {tmp_path / 'hub'}"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    call = ["--model", "hf", "--model_args", f"pretrained={nano_path('nano')}", "--device", "cpu", "--batch_size", "64"]
    call += [
        "--include_path",
        str(tmp_path / "tasks"),
        "--tasks",
        ",".join(f"ilp_bench_{cause}_recall" for cause in ASKED),
    ]
    call += ["--output_path", "out"]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, *call], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (report,) = (tmp_path / "out").rglob("results_*.json")
    results = json.loads(report.read_text())["results"]
    for cause in ASKED:
        rows = [
            row
            for row in base_run.samples.to_pylist()
            if (row["cause"], row["probe"]) == (cause, "recall") and row["arm"] in ("treated", "control")
        ]
        p = {
            arm: sum(row["p"] for row in rows if row["arm"] == arm) / sum(row["arm"] == arm for row in rows)
            for arm in ("treated", "control")
        }
        measured = results[f"ilp_bench_{cause}_recall"]
        assert measured["gap,none"] == pytest.approx(p["control"] - p["treated"], abs=1e-5)
        assert measured["p_control,none"] == pytest.approx(p["control"], abs=1e-5)
