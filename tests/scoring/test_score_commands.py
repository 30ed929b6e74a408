"""``ilp-bench score`` and the scripts on runs of dataset version 3."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from points_runs import make_run
from typer.testing import CliRunner

from ilp_bench.cli.main import app
from ilp_bench.records.run_record import Run, write_run

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("points")
    runs: dict[str, Run] = {f"base{seed}": make_run(None, seed) for seed in range(3)}
    runs |= {f"vanilla{n}": make_run("vanilla", training_seed=n) for n in range(3)}
    runs |= {f"other{seed}": make_run("vanilla", seed, training_seed=seed) for seed in range(1, 3)}
    runs |= {f"mine{seed}": make_run("combined", seed, treated=0.5, training_seed=seed) for seed in range(3)}
    runs |= {"flat": make_run("combined", treated=0.5, control=0.6), "old": make_run("vanilla", version="2")}
    for name, run in runs.items():
        write_run(root / name, run.record.model_dump(exclude={"samples_sha256"}), run.samples)
    return {name: root / name for name in runs}


def score(*words: object) -> str:
    done = CliRunner().invoke(app, ["score", *map(str, words)], env={"COLUMNS": "140"})
    assert done.exit_code == 0, done.output
    return done.output


def replicates(folders: dict[str, Path]) -> list[object]:
    words: list[object] = [folders[f"mine{seed}"] for seed in range(3)]
    for name in ("vanilla0", "other1", "other2"):
        words += ["--vanilla", folders[name]]
    for seed in range(3):
        words += ["--base-run", folders[f"base{seed}"]]
    return words


def test_three_replicates_have_points_and_shares(folders: dict[str, Path]) -> None:
    shown = " ".join(score(*replicates(folders)).split())  # however wide the terminal is
    for text in (
        "reproduction: the prompts that were trained",
        "internalisation: prompts that were never trained",
        "54/72",
        "of the gap closed, over 5 of 5 causes",
        "3 runs on 3 datasets; they allow for what differs between runs",
        "pairs that contradict what was not believed (not scored)",
        "budget division 1x; no reference",
        "may be ranked",
    ):
        assert text in shown, shown
    fields = json.loads(score(*replicates(folders), "--json"))
    assert fields["scorer_version"] == 3
    assert fields["reproduction"]["share"]["value"] == pytest.approx(0.4, abs=0.05)


def test_one_run_is_marked_and_not_ranked(folders: dict[str, Path]) -> None:
    shown = " ".join(score(folders["flat"], "--vanilla", folders["vanilla0"]).split())
    assert "pairs only" in shown
    assert "not ranked: reproduction: the control of knowledge_gap fell" in shown
    assert "not ranked: without a base run" in shown


def test_other_settings_than_vanillas_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    def trained(name: str, **settings: object) -> Path:
        run = make_run("vanilla") if name == "vanilla" else make_run("combined", treated=0.5)
        record = run.record.model_dump(exclude={"samples_sha256"})
        record["training"] |= settings
        write_run(tmp_path / name, record, run.samples)
        return tmp_path / name

    usual = {"learning_rate": 2e-4, "batch_size": 16, "lora": 0}
    vanilla = trained("vanilla", **usual)
    faster = trained("mine", **usual | {"learning_rate": 3.5e-4})
    shown = " ".join(score(faster, "--vanilla", vanilla).split())
    assert (
        "note: trained with learning rate 0.00035, batches of 16; vanilla: learning rate 0.0002, batches of 16. Within "
        "one budget a higher rate"
    ) in shown
    assert "note: trained with" not in score(faster, "--vanilla", vanilla, "--json")
    assert "note: trained with" not in score(folders["mine0"], "--vanilla", vanilla)  # its record says nothing
    assert "note: trained with" not in score(trained("alike", **usual), "--vanilla", vanilla)


def test_bad_input(folders: dict[str, Path]) -> None:
    for words, message in (
        ([folders["mine0"], "--vanilla", folders["old"]], "dataset versions 2, 3"),
        ([folders["mine0"]], "no vanilla run on the dataset of seed 0"),
        ([folders["old"]], "runs on a dataset of version 2 have no reference"),
        ([folders["mine0"], "--reference", "nowhere"], "is not a reference"),
    ):
        done = CliRunner().invoke(app, ["score", *map(str, words)])
        assert message in str(done.exception)
        assert "\n" not in str(done.exception)


def script(name: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPTS / name, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def vanilla_runs(folders: dict[str, Path]) -> Sequence[Path]:
    return [folders[name] for name in ("vanilla0", "vanilla1", "vanilla2", "base0")]


def test_scripts_make_references_and_placebos(folders: dict[str, Path], tmp_path: Path) -> None:
    printed = script("references", tmp_path / "stub-mini-1x", *vanilla_runs(folders))
    assert "3 vanilla runs, datasets of seeds [0]" in printed
    assert printed.count("| yes |") == 10
    assert "from reference stub-mini-1x" in score(folders["mine0"], "--reference", tmp_path / "stub-mini-1x")
    assert "| single | all | all | 72 |" in script("placebo", *vanilla_runs(folders))
