"""References can be listed and fetched, and what is fetched is used like the committed one."""

from pathlib import Path

import pytest

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.scoring.reference_files import fetch_reference, reference_rows
from ilp_bench.scoring.references import committed_references


def test_every_committed_reference_is_listed_with_what_a_newcomer_asks() -> None:
    rows = {row.name: row for row in reference_rows()}
    assert set(rows) == set(committed_references())
    nano = rows["nano-mini-1x"]
    assert (nano.base, nano.size, nano.seeds, nano.prompt_format) == ("nano", "mini", [0, 1, 2], "plain")
    assert nano.vanilla_runs == 9
    assert all(nano.budgets)


def test_a_fetched_reference_is_the_committed_one(tmp_path: Path) -> None:
    fetched = fetch_reference("nano-mini-1x", tmp_path / "reference")
    assert fetched.sha256 == committed_references()["nano-mini-1x"].sha256
    weights = weights_sha256(locate(fetched.folder / "checkpoint-0"))
    assert weights == fetched.comparisons[0].vanillas[0].record.model.weights_sha256
    with pytest.raises(UsageError, match=r"reference"):
        fetch_reference("nano-mini-1x", tmp_path / "reference")


def test_without_the_hub_an_unknown_name_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ProblemError, match="the Hub is switched off here"):
        fetch_reference("nobody", tmp_path / "reference")
    assert not (tmp_path / "reference").exists()
