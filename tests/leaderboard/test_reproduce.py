"""The commands of an entry's page: every option exists, and on nano they make the entry again."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ilp_bench.cli.main import app
from ilp_bench.leaderboard.describe import describe_entry
from ilp_bench.leaderboard.pages import environment
from ilp_bench.leaderboard.site import render
from ilp_bench.records.training_record import BaseWeights
from ilp_bench.submission.format import Submission, read_submission

COMMITTED = Path(__file__).parents[2] / "submissions"
ENTRY = "ilp-bench__nano-mini-delete-only"
H_TOLERANCE = 0.05  # other machines and versions train a little differently


def commands(page: Path) -> str:
    """The commands of a page as they stand."""
    block = re.search(r'aria-label="Commands"><code>(.*?)</code>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return html.unescape(block[1])


def page_of_committed(folder: Path) -> Path:
    """The page of the committed entry of ``ENTRY`` that stands, on a site of it alone."""
    entries = {file: json.loads(file.read_text()) for file in COMMITTED.glob(f"{ENTRY}/*/submission.json")}
    standing = max(entries, key=lambda file: (entries[file]["schema_version"], len(entries[file].get("runs", ()))))
    shutil.copytree(standing.parent, folder / "submissions" / ENTRY / standing.parent.name)
    render(folder / "submissions", folder / "site")
    return next((folder / "site" / "runs").glob("*.html"))


@pytest.mark.parametrize("name", ["sample-1b-auto-1x", "sample-1b-combined-3x", "sample-1b-combined-open"])
def test_every_option_of_the_commands_exists(board_site: Path, name: str) -> None:
    group: Any = typer.main.get_command(app)
    text = commands(next((board_site / "runs").glob(f"*__{name}__*.html")))
    for line in re.findall(r"^ *ilp-bench (.*?)(?:  #.*)?$", text, re.MULTILINE):
        command, *words = line.split()
        known = {option for parameter in group.commands[command].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
    assert 'runs="0-0 1-1 2-2"' in text
    assert "--recipe vanilla --seed $data --data data-$data --out plain-$data" in text, "nothing gives the budget else"
    assert "--vanilla run-vanilla-0 --vanilla run-vanilla-1 --vanilla run-vanilla-2 --base-run run-base-0" in text
    assert ("--division 3x --budget-from plain-$data" in text) == name.endswith("3x")
    assert ("--lora 16" in text) == name.endswith("open")


def test_only_what_the_reference_lacks_is_run_beside(tmp_path: Path) -> None:
    """The reference has the datasets of seeds 0 to 2 of five: the others' vanilla finds its budget, and is given."""
    text = commands(page_of_committed(tmp_path))
    assert "for data in 0 1 2 3 4; do\n  ilp-bench build" in text
    assert "for data in 3 4; do   # on these vanilla was run beside\n  ilp-bench train" in text
    assert 'if [ -d plain-$data ]; then budget="--budget-from plain-$data"; fi' in text
    given = " --vanilla run-vanilla-3 --vanilla run-vanilla-4 --base-run run-base-3 --base-run run-base-4"
    assert text.count(given) == 2


def test_a_base_model_is_pinned_or_said_to_be_a_folder(tmp_path: Path) -> None:
    """A name alone is neither on the Hub nor in the empty folder that the commands are meant for."""
    page_of_committed(tmp_path)
    folder = next((tmp_path / "submissions").glob("*/*/submission.json")).parent
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    entry = describe_entry(folder, submission, [], [])
    macro = '{% from "parts/reproduce.html" import reproduce with context %}{{ reproduce(entry, submission) }}'

    def told(name: str, revision: str | None) -> str:
        first, *others = submission.runs
        assert first.training
        base = BaseWeights(name=name, revision=revision)
        changed = first.model_copy(update={"training": first.training.model_copy(update={"base": base})})
        again = submission.model_copy(update={"runs": [changed, *others]})
        return html.unescape(environment().from_string(macro).render(entry=entry, submission=again))

    assert "a folder of your own" not in told("nano", None)
    assert "--base org/model@0123abc --recipe delete_only" in told("org/model", "0123abc")
    assert "a folder of your own" not in told("org/model", "0123abc")
    assert '# smollm2: a folder of your own with the base model, whose hash stands under "Base model"' in told(
        "smollm2", None
    )


@pytest.mark.nightly
def test_the_commands_of_an_entry_on_nano_make_it_again(tmp_path: Path) -> None:
    text = commands(page_of_committed(tmp_path))
    (tmp_path / "again").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-e"],
        input=text,
        cwd=tmp_path / "again",
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    made = json.loads(next((tmp_path / "again" / "submissions").glob("*/*/submission.json")).read_text())
    claimed = json.loads(next((tmp_path / "submissions").glob("*/*/submission.json")).read_text())
    assert [one["data"] for one in made["runs"]] == [one["data"] for one in claimed["runs"]]
    for what in ("recipe", "seed", "learning_rate", "batch_size", "budget"):
        assert [one["training"][what] for one in made["runs"]] == [one["training"][what] for one in claimed["runs"]], (
            what
        )
    h, again = (one["scores"]["reproduction"]["share"]["value"] for one in (claimed, made))
    assert again == pytest.approx(h, abs=H_TOLERANCE)
