"""The workflows keep their promises, as far as their files show; most of all those that read pull requests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
FILES = [file for file in WORKFLOWS if file.name.startswith("submission")]
FORMS = sorted(file for file in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if file.name != "config.yml")


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
        reads = ("ilp-bench validate proposed/submissions", "git -C proposed rev-parse")
        assert "proposed" not in run or any(command in run for command in reads)
        assert "install" not in run or "./tool" in run
        assert "pip install ./proposed" not in run


def test_only_the_job_that_reads_no_proposal_may_write() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "submission-comment.yml")["jobs"]
    writers = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writers == {"comment"}
    assert not any("checkout" in step.get("uses", "") for step in jobs["comment"]["steps"])


def test_the_status_is_set_from_the_main_branch_with_the_commit_and_the_login() -> None:
    text = (ROOT / ".github" / "workflows" / "submission-comment.yml").read_text()
    assert "workflow_run:" in text  # runs the file of the main branch, whatever the request holds
    assert "/statuses/$SHA" in text
    assert '--by "$LOGIN"' in text
    assert "of commit $SHA" in text
    assert "rev-parse HEAD^2" in text  # what was checked out is that commit
    owners = (ROOT / ".github" / "CODEOWNERS").read_text()
    assert all(path in owners for path in ("/.github/", "/submissions/owners.json", "/submissions/decisions.jsonl"))


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: file.parent.name + "/" + file.name)
def test_every_action_is_pinned_by_its_full_hash(file: Path) -> None:
    """A tag can be moved to other code, a commit hash cannot; the version stands beside it for readers."""
    uses = re.findall(r"\buses: *(.+)", file.read_text())
    for action in uses:
        own = re.fullmatch(r"\$/(\.github/actions/\w+)", action)
        assert own or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action), action
        assert not own or (ROOT / own[1] / "action.yml").is_file()
    assert uses


def test_one_action_has_one_version() -> None:
    uses = {line for file in [*WORKFLOWS, *ACTIONS] for line in re.findall(r"\buses: *(.+@.+)", file.read_text())}
    assert len(uses) == len({line.split("@")[0] for line in uses})


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_grants_least(file: Path) -> None:
    workflow = load(file)
    assert "secrets." not in file.read_text()
    assert workflow["permissions"] in ({}, {"contents": "read"})
    writes = {
        scope for job in workflow["jobs"].values() for scope, access in job["permissions"].items() if access == "write"
    }
    allowed = {
        "pages.yml": {"pages", "id-token"},
        "release.yml": {"id-token"},
        "submission-comment.yml": {"pull-requests", "statuses"},
    }
    assert writes == allowed.get(file.name, set())
    for step in steps(file):
        assert "${{" not in step.get("run", "")
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_matrix_is_what_the_package_promises() -> None:
    rows = load(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["fast"]["strategy"]["matrix"]["include"]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    assert {row["python"] for row in rows} == set(promised)
    assert any(row.get("resolution") == "lowest-direct" for row in rows)
    assert any("lm-eval" in row.get("override", "") for row in rows)


def test_only_the_job_that_publishes_has_an_identity() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert {name for name, job in jobs.items() if "id-token" in job["permissions"]} == {"publish"}
    assert not any("run" in step for step in jobs["publish"]["steps"])  # no code of the project runs beside it


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.stem)
def test_an_issue_form_is_complete(file: Path) -> None:
    form = load(file)
    assert {"name", "description", "labels", "body"} <= set(form)
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields)
    assert all(part["attributes"]["label"] for part in fields)
    assert any(part.get("validations", {}).get("required") for part in fields)


def test_the_hooks_run_the_same_checks() -> None:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert hooks["validate-submissions"]["entry"] == "ilp-bench validate submissions"
    assert hooks["validate-submissions"]["files"] == "^submissions/"
    tools = {line.split()[0] for line in (ROOT / "scripts" / "check").read_text().splitlines()[5:]}
    assert tools == {hook["entry"].split()[0] for hook in hooks.values()} - {"ilp-bench"}
