"""The whole story from this checkout, and the same numbers from the built wheel in an environment of its own."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import make, write
from ilp_bench.scoring.points_schema import PointScores

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(call: list[object], folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """The report of one quickstart below ``folder``."""
    done = subprocess.run(
        [*map(str, call), "quickstart", "--out", "out", "--json"],
        cwd=folder,
        env=environment | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


HERE = [sys.executable, "-m", "ilp_bench"]
CHECKOUT = dict(os.environ) | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("story")
    return folder / "out", run(HERE, folder, CHECKOUT)


def test_every_cause_shows_and_forgetting_is_repaired(story: tuple[Path, dict[str, Any]]) -> None:
    scores = PointScores.model_validate(story[1]["scores"])
    for score in (scores.reproduction, scores.internalisation):
        assert tuple(cause.cause for cause in score.causes) == CAUSES.names()
        assert score.counted == list(CAUSES.names())
    for cause in scores.reproduction.causes:
        assert cause.gap
        assert cause.gap.value > 0.15, cause.cause
        assert cause.gap.low > 0, cause.cause
    points = {cause.cause: cause.points for cause in scores.reproduction.causes if cause.points}
    assert max(points, key=lambda cause: points[cause].value) == "left_side_forgetting"
    assert points["left_side_forgetting"].low > 0.2
    assert scores.reproduction.share
    assert scores.reproduction.share.low > 0


def test_one_model_is_trained_with_the_budget_of_the_reference(story: tuple[Path, dict[str, Any]]) -> None:
    out, report = story
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["resampling"]
    training = json.loads((out / "checkpoints" / "resampling" / "training.json").read_text())
    assert training["budget"]["source"] == "reference"
    assert sum(phase["supervised"] for phase in training["phases"]) == training["budget"]["total"]
    assert report["scores"]["reference"]["name"] == "nano-mini-1x"
    assert report["scores"]["reference"]["runs"]
    assert report["scores"]["interval_kind"] == "runs"


def test_it_leaves_a_valid_submission_and_a_site(story: tuple[Path, dict[str, Any]]) -> None:
    out = story[0]
    assert len(list((out / "submissions").rglob("submission.json"))) == 1
    assert len(list((out / "site" / "runs").glob("*.html"))) == 1
    assert subprocess.run([*HERE, "validate", out / "submissions"], cwd=out, env=CHECKOUT).returncode == 0


def test_running_again_keeps_what_is_there(story: tuple[Path, dict[str, Any]]) -> None:
    again = run(HERE, story[0].parent, CHECKOUT)
    assert again["scores"] == story[1]["scores"]
    assert again["seconds"]["train resampling"] < 1


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    return next(folder.glob("*.whl"))


@pytest.mark.nightly
def test_uvx_runs_the_wheel_from_an_index_to_its_end(
    story: tuple[Path, dict[str, Any]], wheel: Path, tmp_path: Path
) -> None:
    """The folder of the wheel is the index; its dependencies come from the package index, torch in the pinned version.

    Other versions of libraries move p by a little, so the scores are near those of this checkout, not the same.
    """
    uvx = shutil.which("uvx")
    if uvx is None:
        pytest.skip("uvx is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    links = [str(wheel.parent), *environment.get("PIP_FIND_LINKS", "").split()]
    torch = next(
        line for line in (ROOT / "scripts" / "constraints.txt").read_text().splitlines() if line.startswith("torch")
    )
    call = [uvx, "--isolated", "--with", torch, "ilp-bench"]
    report = run(call, tmp_path, environment | {"UV_FIND_LINKS": ",".join(links)})
    assert (tmp_path / "out" / "site" / "index.html").is_file()
    scores, others = (PointScores.model_validate(each["scores"]) for each in (report, story[1]))
    assert scores.reproduction.share is not None
    assert others.reproduction.share is not None
    assert scores.reproduction.share.value == pytest.approx(others.reproduction.share.value, abs=0.1)


@pytest.mark.nightly
def test_the_wheel_alone_tells_the_same(story: tuple[Path, dict[str, Any]], wheel: Path, tmp_path: Path) -> None:
    """Installed elsewhere, without this checkout: it goes on with a story whose run is missing, and trains.

    Its dependencies are those already here; the next test proves that they are all declared.
    """
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("_tasks/ilp_bench.yaml", "_leaderboard/templates/index.html", "data/facts/facts.parquet"):
        assert f"ilp_bench/{wanted}" in names
    assert "ilp_bench/models/nano/weights/llama/model.safetensors" in names
    assert not [name for name in names if name.startswith(("tests/", "submissions/"))]
    venv.create(tmp_path / "own", with_pip=False)
    python = tmp_path / "own" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True)
    here = sysconfig.get_path("purelib")
    (Path(next((tmp_path / "own").glob("lib/python*/site-packages"))) / "dependencies.pth").write_text(here)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    where = [python, "-c", "import ilp_bench; print(ilp_bench.__file__)"]
    shown = subprocess.run(where, cwd=folder, env=environment, capture_output=True, text=True)
    assert shown.stdout.startswith(str(tmp_path / "own"))
    for name in ("data", "checkpoints"):
        shutil.copytree(story[0] / name, folder / "out" / name)
    report = run([python.with_name("ilp-bench")], folder, environment)
    assert report["scores"] == story[1]["scores"]
    assert (folder / "out" / "site" / "index.html").is_file()
    write(make("mini", 0, pairs=6), folder / "few")
    train = [python.with_name("ilp-bench"), "train", "--base", "nano", "--recipe", "vanilla", "--data", "few"]
    subprocess.run([*train, "--out", "trained", "--device", "cpu"], cwd=folder, env=environment, check=True)
    assert (folder / "trained" / "model.safetensors").is_file()


def test_every_import_is_a_declared_dependency() -> None:
    """So an install of the wheel brings what it needs, in an extra where it is optional."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = sum(declared["optional-dependencies"].values(), declared["dependencies"])
    known = {re.split(r"[\[<>=,!~]", one)[0].lower().replace("_", "-") for one in wanted}
    owners = packages_distributions()
    for file in sorted((ROOT / "ilp_bench").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"ilp_bench"}:
                found = {owner.lower().replace("_", "-") for owner in owners.get(name, [name])}
                assert found & known, f"{file.name} imports {name}, which pyproject.toml does not name"
