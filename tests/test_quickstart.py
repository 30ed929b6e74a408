"""The whole story, twice: from this checkout, and from the built wheel in a clean environment in another folder."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ilp_bench.causes import CAUSE_NAMES

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


def run(program: Path, folder: Path) -> dict[str, Any]:
    """The report of one quickstart below ``folder``."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [program, "quickstart", "--out", "out", "--json"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("story")
    return folder / "out", run(Path(sys.executable).with_name("ilp-bench"), folder)


def test_every_cause_shows_and_most_are_recovered(story: tuple[Path, dict[str, Any]]) -> None:
    scores = story[1]["scores"]
    assert tuple(cause["cause"] for cause in scores["causes"]) == CAUSE_NAMES
    for cause in scores["causes"]:
        assert cause["expressed"], cause["cause"]
        assert cause["gap"]["low"] > 0
        assert cause["vanilla"]["treated"] < cause["vanilla"]["control"]
        assert max(cause["base"]["treated"], cause["base"]["control"]) < 0.02
    recovered = [c for c in scores["causes"] if c["recovery"]["value"] >= 0.3 and c["recovery"]["low"] > 0]
    assert len(recovered) >= 4
    assert scores["overall"]["low"] > 0


def test_vanilla_converged_on_the_control_arms(story: tuple[Path, dict[str, Any]]) -> None:
    report = json.loads((story[0] / "checkpoints" / "vanilla" / "training.json").read_text())
    for phase in report["phases"]:
        assert phase["reference_learned"][-1] >= 0.95
        assert all(value < 0.95 for value in phase["reference_learned"][:-1])
        assert phase["epochs"] == len(phase["reference_learned"])


def test_it_leaves_two_valid_submissions_and_a_site(story: tuple[Path, dict[str, Any]]) -> None:
    out = story[0]
    assert len(list((out / "submissions").rglob("submission.json"))) == 2
    assert len(list((out / "site" / "runs").glob("*.html"))) == 2
    program = Path(sys.executable).with_name("ilp-bench")
    assert subprocess.run([program, "validate", out / "submissions"]).returncode == 0


def test_running_again_keeps_what_is_there(story: tuple[Path, dict[str, Any]]) -> None:
    again = run(Path(sys.executable).with_name("ilp-bench"), story[0].parent)
    assert again["scores"] == story[1]["scores"]
    assert again["seconds"]["train vanilla"] < 1


def test_the_wheel_does_the_same_in_a_clean_environment(story: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], check=True, capture_output=True
    )
    wheel = next(tmp_path.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("_tasks/ilp_bench.yaml", "_leaderboard/templates/index.html", "facts/facts.parquet"):
        assert f"ilp_bench/{wanted}" in names
    assert "ilp_bench/nano/weights/llama/model.safetensors" in names
    assert not [name for name in names if name.startswith(("tests/", "submissions/"))]
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    constraints = ROOT / "scripts" / "constraints.txt"
    torch = next(line for line in constraints.read_text().splitlines() if line.startswith("torch"))
    pip = [python, "-m", "pip", "install", "--quiet", "--constraint", constraints]
    subprocess.run([*pip, torch], check=True)
    subprocess.run([*pip, f"{wheel}[train]"], check=True)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    report = run(python.with_name("ilp-bench"), folder)
    assert report["scores"] == story[1]["scores"]
