"""``scripts/gpu-check`` checks itself on a CPU, and what fails, lacks a package or comes too late is noted."""

import json
import os
import subprocess
import sys
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu-check"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    module = types.ModuleType("gpu_check")
    module.__file__ = str(SCRIPT)
    SourceFileLoader("gpu_check", str(SCRIPT)).exec_module(module)
    return module


def read(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def call(*arguments: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=timeout, env=environment
    )


def test_what_fails_is_noted_and_the_rest_goes_on(script: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    check = script.Check(out, "cpu", None, 1, tmp_path)

    def lacking() -> dict[str, Any]:
        raise script.StepSkippedError("no such package")

    def failing() -> dict[str, Any]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    check.step("first", lambda: check.compare("x", "logprob", "float32", [0.001, -0.002], (0.01, 0.002)))
    assert read(out)["within_tolerance"]
    check.step("lacking", lacking)
    assert read(out)["within_tolerance"]
    check.step("failing", failing)
    assert not read(out)["within_tolerance"]
    check.step("last", lambda: {"number": float("inf")})
    steps = read(out)["steps"]
    assert {name: step["state"] for name, step in steps.items()} == {
        "first": "done", "lacking": "skipped", "failing": "failed", "last": "done",
    }  # fmt: skip
    assert "illegal memory access" in steps["failing"]["error"]
    assert steps["last"]["result"] == {"number": "inf"}


def test_a_figure_out_of_its_tolerance_or_none_at_all_is_no_success(script: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    check = script.Check(out, "cpu", None, 1, tmp_path)
    check.step("nothing compared", dict)
    assert not read(out)["within_tolerance"]
    for differences, within in (
        ([0.001, -0.02], False),
        ([0.009, 0.009], False),
        ([float("nan")], False),
        ([0.0], True),
    ):
        figure = check.compare("x", "logprob", "float32", differences, script.LOGPROB["float32"])
        assert figure["within"] is within
    with pytest.raises(ValueError, match="nothing to compare"):
        check.compare("x", "logprob", "float32", [], (1.0, 1.0))


def test_no_step_goes_on_beyond_the_end(script: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    check = script.Check(out, "cpu", None, 0.005, tmp_path)
    check.step("endless", lambda: [None for _ in iter(int, 1)])
    check.step("late", dict)
    steps = read(out)["steps"]
    assert steps["endless"]["error"].startswith("TimeoutError")
    assert steps["endless"]["seconds"] < 5
    assert (steps["late"]["state"], steps["late"]["why"]) == ("skipped", "no time left")


@pytest.mark.slow
def test_a_call_that_cannot_work_is_one_clear_line(tmp_path: Path) -> None:
    done = call(tmp_path / "out.json", "--device", "cpu", "--smollm2", tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1].count("scripts/smollm2")) == (2, 1)


@pytest.mark.nightly
def test_it_checks_itself_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = call(out, "--device", "cpu", "--minutes", "5", timeout=330)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    report = read(out)
    assert set(report) == {
        "what", "started", "device", "minutes", "tolerances", "steps", "comparisons", "within_tolerance", "seconds",
    }  # fmt: skip
    steps = report["steps"]
    assert list(steps) == [
        "environment", "packing of nano", "packing of nano-qwen3", "packing of nano-olmo2", "evaluate nano",
        "train nano in float32", "train nano in bfloat16", "train nano with LoRA", "packing of SmolLM2's shape",
        "evaluate SmolLM2's shape", "training speed of nano",
        "training speed of SmolLM2's shape", "evaluation speed of nano", "evaluation speed of SmolLM2's shape",
        "halve batches that do not fit", "accelerate launch", "train SmolLM2 in bfloat16", "vllm",
    ]  # fmt: skip
    skipped = {name for name, step in steps.items() if step["state"] == "skipped"}
    assert {"train SmolLM2 in bfloat16", "halve batches that do not fit"} <= skipped
    assert done.stdout.count("\n") == len(steps) + 1
    for name in ("padded", "packed"):
        assert steps["training speed of nano"]["result"][f"float32, {name}, batches of 8"]["tokens a second"] > 0
    assert steps["evaluation speed of nano"]["result"]["bfloat16"]["probes a second"] > 0
    figures = {(figure["name"], figure["dtype"]): figure for figure in report["comparisons"]}
    assert all(figure["within"] for figure in figures.values())
    assert figures["p of nano", "float32"]["max"] == 0  # the CPU against itself
    assert figures["p of nano", "bfloat16"]["max"] > 0
    assert figures["vanilla bfloat16", "bfloat16"]["max"] > 0
