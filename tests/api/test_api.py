"""The public Python interface: what it offers, what an import costs, and the command line's numbers from Python."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ilp_bench
from ilp_bench import api
from ilp_bench.data.dataset import Dataset
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.points_schema import PointScores

PUBLIC = {
    *("build", "load_dataset", "load", "import_rows", "export", "train", "evaluate", "evaluate_model", "load_run"),
    *("score", "diagnose", "diagnose_rows", "LearnedRates", "submit", "validate", "render"),
    *("Dataset", "Run", "IlpBenchError", "UsageError", "ProblemError", "__version__"),
}
HEAVY = ("torch", "lm_eval", "datasets", "pyarrow", "transformers", "numpy")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """A dataset of six pairs a cause, and its folder."""
    folder = tmp_path_factory.mktemp("few") / "data"
    return folder, ilp_bench.build("mini", 0, pairs=6, out=folder)


def modules_after(code: str) -> set[str]:
    """The heavy libraries that a fresh interpreter has imported after ``code``."""
    script = f"import sys\n{code}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_public_list_is_the_one_that_is_meant() -> None:
    assert set(ilp_bench.__all__) == PUBLIC
    assert dir(ilp_bench) == sorted(PUBLIC)
    for name in PUBLIC:
        assert getattr(ilp_bench, name) is not None
    functions = {
        name
        for name, value in vars(api).items()
        if inspect.isfunction(value) and value.__module__.startswith(api.__name__)
    }
    assert {name for name in functions if not name.startswith("_")} <= PUBLIC
    assert Path(ilp_bench.__file__).with_name("py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        ilp_bench.lode  # noqa: B018


def test_importing_the_package_imports_no_heavy_library() -> None:
    assert modules_after("import ilp_bench; ilp_bench.UsageError") == set()
    assert not modules_after("import ilp_bench; ilp_bench.build, ilp_bench.train, ilp_bench.evaluate_model") & {
        *("torch", "lm_eval", "datasets", "transformers")
    }


def test_verbs_stay_functions_once_the_packages_behind_them_are_imported() -> None:
    import ilp_bench.evaluation.run
    import ilp_bench.training.run

    for name in PUBLIC - {"__version__"}:
        assert callable(getattr(ilp_bench, name)), name


@pytest.mark.parametrize(
    "name", sorted(PUBLIC - {"Dataset", "Run", "IlpBenchError", "UsageError", "ProblemError", "__version__"})
)
def test_every_docstring_shows_a_call_and_its_errors(name: str) -> None:
    function = getattr(ilp_bench, name)
    text = inspect.getdoc(function) or ""
    assert ">>> " in text
    assert f"{name}(" in text
    assert "Raises" in text
    hints = (function.__init__ if isinstance(function, type) else function).__annotations__
    assert set(inspect.signature(function).parameters) | {"return"} == set(hints)


def test_built_written_and_loaded_it_is_the_same(few: tuple[Path, Dataset]) -> None:
    folder, data = few
    assert ilp_bench.load_dataset(str(folder)).sha256 == data.sha256
    assert ilp_bench.build("mini", 0, pairs=6).sha256 == data.sha256
    with pytest.raises(ilp_bench.UsageError, match="another dataset"):
        ilp_bench.build("mini", 1, pairs=6, out=folder)
    with pytest.raises(ilp_bench.UsageError, match="Did you mean 'mini'"):
        ilp_bench.build("mimi")


def test_rows_of_ones_own_and_export(few: tuple[Path, Dataset], tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    count = ilp_bench.export(few[0], file, format="prompt-completion")
    assert count == few[1].train.num_rows
    user_data = ilp_bench.import_rows(file, out=tmp_path / "user", sample=20)
    assert user_data.is_user_data
    assert ilp_bench.load_dataset(tmp_path / "user").sha256 == user_data.sha256
    with pytest.raises(ilp_bench.UsageError, match="controlled datasets"):
        ilp_bench.export(user_data, tmp_path / "again.jsonl")


def numbers(run: Run) -> list[dict[str, Any]]:
    """The samples; a dose that is NaN, which equals nothing, as None."""
    rows = run.samples.to_pylist()
    return [row | {"dose": None if row["dose"] is None or math.isnan(row["dose"]) else row["dose"]} for row in rows]


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The number of threads changes the last digits, and by itself depends on how busy the machine is."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_model_in_memory_measures_as_its_folder_does(few: tuple[Path, Dataset], tmp_path: Path) -> None:
    data = replace(few[1], items=few[1].items.take(list(range(0, few[1].items.num_rows, 5))))
    model, tokenizer = load_model(locate("nano"))
    model.train()
    model.model.norm.eval()
    folder = tmp_path / "nano"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    saved = ilp_bench.evaluate(str(folder), data, tmp_path / "saved", device="cpu", choices=4)
    seen: list[tuple[int, int]] = []
    run = ilp_bench.evaluate_model(
        model,
        tokenizer,
        data,
        out=tmp_path / "memory",
        probe_base=True,
        choices=4,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert saved is not None
    assert numbers(run) == numbers(saved)
    assert (model.training, model.model.norm.training) == (True, False)
    assert seen[-1] == (run.record.requests, run.record.requests)
    same = {"data", "prompt_format", "probed", "choices", "protocol", "backend", "dtype", "device", "versions"}
    assert run.record.model_dump(include=same) == saved.record.model_dump(include=same)
    assert run.record.model.parameters == saved.record.model.parameters
    assert run.record.training is None
    again = ilp_bench.load_run(tmp_path / "memory")
    assert again.record == run.record
    assert numbers(again) == numbers(run)
    with pytest.raises(ilp_bench.UsageError, match="already exists"):
        ilp_bench.evaluate_model(model, tokenizer, few[1], out=tmp_path / "memory")
    with pytest.raises(ilp_bench.UsageError, match="0, 4 or 10"):
        ilp_bench.evaluate_model(model, tokenizer, few[1], choices=3)
    with pytest.raises(ilp_bench.UsageError, match="causal language model"):
        ilp_bench.evaluate_model("nano", tokenizer, few[1])


def test_other_weights_have_another_hash(few: tuple[Path, Dataset]) -> None:
    import torch

    from ilp_bench.evaluation.in_memory import _tensors_sha256

    model, _ = load_model(locate("nano"))
    before = _tensors_sha256(model)
    assert _tensors_sha256(model.to(torch.bfloat16)) != before
    again, _ = load_model(locate("nano"))
    assert _tensors_sha256(again) == before
    with torch.no_grad():
        again.model.norm.weight[0] += 1
    assert _tensors_sha256(again) != before


@pytest.mark.usefixtures("one_thread")
def test_user_data_is_measured_in_memory(few: tuple[Path, Dataset], tmp_path: Path) -> None:
    ilp_bench.export(few[1], tmp_path / "train.jsonl", format="prompt-completion")
    user_data = ilp_bench.import_rows(tmp_path / "train.jsonl", sample=12)
    model, tokenizer = load_model(locate("nano"))
    run = ilp_bench.evaluate_model(model, tokenizer, user_data, probe_base=True)
    saved = ilp_bench.evaluate("nano", user_data, tmp_path / "run", device="cpu", probe_base=True)
    assert saved is not None
    assert numbers(run) == numbers(saved)
    assert any(row["belief"] for row in numbers(run))


def test_from_runs_to_a_site(runs: dict[str, Path], mini: Dataset, tmp_path: Path) -> None:
    scores = ilp_bench.score(runs["half"], runs["vanilla"], runs["base"])
    loaded = [ilp_bench.load_run(runs[name]) for name in ("half", "vanilla", "base")]
    assert ilp_bench.score([loaded[0]], [loaded[1]], loaded[2]) == scores
    diagnosis = ilp_bench.diagnose(loaded[0], runs["base"], mini)
    assert len(diagnosis.said["signals"]) == len(diagnosis.items)
    meta = {"org": "lab", "model": "m", "division": "open"}
    folder = ilp_bench.submit(runs["half"], meta, tmp_path / "submissions", str(runs["vanilla"]), runs["base"])
    assert isinstance(scores, PointScores)
    assert len(scores.reproduction.causes) == 5
    assert ilp_bench.validate(tmp_path / "submissions") == []
    assert ilp_bench.render(tmp_path / "submissions", tmp_path / "site", workers=1) == 1
    with pytest.raises(ilp_bench.ProblemError, match="org"):
        ilp_bench.submit(runs["half"], meta | {"org": "../up"}, tmp_path / "other", runs["vanilla"])
    with pytest.raises(ilp_bench.ProblemError, match="two replicates are the same weights on the same dataset"):
        ilp_bench.score([runs["half"], runs["half"]], runs["vanilla"])
    (folder / "extra").write_text("")
    assert any("does not belong" in problem for problem in ilp_bench.validate(folder))


@pytest.mark.slow
def test_training_from_python(few: tuple[Path, Dataset], tmp_path: Path) -> None:
    record = ilp_bench.train("nano", "vanilla", few[1], str(tmp_path / "vanilla"), learning_rate=1e-3, device="cpu")
    assert record.recipe == "vanilla"
    run = ilp_bench.evaluate(str(tmp_path / "vanilla"), few[1], str(tmp_path / "run"), device="cpu")
    assert run is not None
    assert run.record.training is not None
