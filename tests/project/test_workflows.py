"""The workflows that read strangers' pull requests keep their promises, as far as their files show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("submission*.yml"))


def load(file: Path) -> dict[Any, Any]:
    found = yaml.safe_load(file.read_text())
    assert isinstance(found, dict)
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in load(file)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_secret_no_write_and_no_code_of_the_request(file: Path) -> None:
    text, found = file.read_text(), load(file)
    assert "pull_request_target" not in text
    assert "secrets." not in text
    assert found["permissions"] == {"contents": "read"}
    for step in steps(file):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
            assert step["with"]["path"] in ("tool", "proposed")
        run = step.get("run", "")
        assert "${{" not in run  # no text of the request becomes part of a script
        assert "proposed" not in run or "ilp-bench validate proposed/submissions" in run
        assert "install" not in run or "./tool" in run
        assert "pip install ./proposed" not in run


def test_only_the_job_that_reads_no_proposal_may_write() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "submission-comment.yml")["jobs"]
    writers = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writers == {"comment"}
    assert not any("checkout" in step.get("uses", "") for step in jobs["comment"]["steps"])


def test_the_hook_runs_the_same_check() -> None:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]
    assert hook["entry"] == "ilp-bench validate submissions"
    assert hook["files"] == "^submissions/"
