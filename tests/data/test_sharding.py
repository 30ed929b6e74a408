import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ilp_bench.cli.main import app
from ilp_bench.core.errors import UsageError
from ilp_bench.core.files import file_sha256
from ilp_bench.data import sharding as shards
from ilp_bench.data.dataset import load, make_from, plan
from ilp_bench.data.settings import Settings
from ilp_bench.data.sharding import build

SMALL = Settings("mini", 2, pairs=40, stages=3)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir())}


def test_streaming_gives_the_rows_of_building_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "JOB", 7)
    monkeypatch.setattr(shards, "RANGE", 30)
    out = build(SMALL, tmp_path / "out")
    streamed, whole = load(out), make_from(SMALL)
    assert streamed.sha256 == whole.sha256
    assert streamed.train.to_pylist() == whole.train.to_pylist()
    assert len(list(out.glob("train-*.parquet"))) > 3
    assert not list(out.glob("*.arrow"))
    before = hashes(out)
    assert build(SMALL, out) == out
    assert hashes(out) == before
    with pytest.raises(UsageError, match="another dataset"):
        build(Settings("mini", 3, pairs=40, stages=3), out)
    assert hashes(out) == before


@pytest.mark.parametrize(("large", "file"), [(5, "train-*.parquet"), (50, "train.parquet")])
def test_the_command_names_the_training_files_that_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int, file: str
) -> None:
    monkeypatch.setattr(shards, "LARGE", large)
    call = ["build", "--size", "mini", "--pairs", "12", "--cause", "rare_patterns", "--out", str(tmp_path / "out")]
    printed = CliRunner().invoke(app, call, catch_exceptions=False).output
    assert f"or train on {tmp_path / 'out' / file} your own way" in printed
    assert list((tmp_path / "out").glob(file))


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    pairs = 2 * shards.JOB + 100
    settings = Settings("mini", 0, pairs=pairs, causes=("rare_patterns",), domain="law")
    one, two = build(settings, tmp_path / "one"), build(settings, tmp_path / "two", workers=2)
    assert hashes(one) == hashes(two)
    decoys = len(plan(settings).decoys["rare_patterns"])
    jobs = math.ceil(pairs / shards.JOB) + math.ceil(decoys / shards.JOB)
    assert len(list(one.glob("items-*.parquet"))) == jobs + 2  # calibration, held-out facts


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        build(SMALL, tmp_path)
    with pytest.raises(UsageError, match="at least 1"):
        build(SMALL, tmp_path / "new", workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
