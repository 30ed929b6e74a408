"""``ilp-bench doctor``: what is there, what is missing and how to get it; exit 1 only where a requirement is broken."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from ilp_bench.cli import doctor
from ilp_bench.cli.main import app
from ilp_bench.core.errors import ProblemError


def test_it_reports_this_machine() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0
    report: dict[str, Any] = json.loads(done.stdout)
    installed = {package["name"]: package["installed"] for package in report["packages"]}
    assert {"torch", "transformers", "lm-eval", "datasets", "trl", "peft", "vllm"} <= set(installed)
    assert installed["torch"] == version("torch")
    assert report["broken"] == []
    assert report["cpu_cores"] >= 1
    assert report["memory_gib"] > 0
    shown = CliRunner().invoke(app, ["doctor"])
    assert shown.exit_code == 0
    assert f"{report['cpu_cores']} cores" in shown.stdout


def test_a_missing_extra_does_not_fail_and_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_vllm(name: str) -> str:
        if name == "vllm":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", without_vllm)
    report = doctor.examine()
    assert report.broken == []
    assert "pip install 'ilp-bench[vllm]'" in report.unavailable["evaluate --backend vllm"]
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    assert "would not work: evaluate --backend vllm" in done.stdout


def test_a_broken_requirement_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = [
        ("", Requirement("torch>=99")),
        ("", Requirement("no-such-package>=1")),
        ("", Requirement("datasets>=4")),
    ]
    monkeypatch.setattr(doctor, "_requirements", lambda: requirements)

    def broken(name: str) -> None:
        raise ImportError(f"lib{name}.so: cannot open shared object file\nmore")

    monkeypatch.setattr(doctor, "import_module", broken)
    report = doctor.examine()
    assert report.broken == ["torch", "no-such-package", "datasets"]
    problems = {package.name: package.problem for package in report.packages}
    assert f"{version('torch')} is installed, >=99 is needed" in problems["torch"]
    assert problems["no-such-package"] == "not installed: pip install 'no-such-package'"
    assert (
        problems["datasets"] == "cannot be imported (libdatasets.so: cannot open shared object file): install it again"
    )
    done = CliRunner().invoke(app, ["doctor"])
    assert isinstance(done.exception, ProblemError)
    assert "broken: torch" in done.stdout


def test_without_package_metadata_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", missing)
    report = doctor.examine()
    assert report.packages == []
    assert "pip install -e ." in report.unavailable["checks of versions"]


def test_offline_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "unset it" in doctor.examine().unavailable["models and datasets from the Hub"]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert "models and datasets from the Hub" not in doctor.examine().unavailable
