"""The tables of what vanilla leaves, and that the results page holds those of the committed references."""

import re
from pathlib import Path

import pytest
from points_runs import make_run

from ilp_bench.data.causes import PAPER_CAUSES
from ilp_bench.replication.gap_tables import MAKER, gap_tables
from ilp_bench.replication.report import inserted
from ilp_bench.scoring.make_reference import make_reference
from ilp_bench.scoring.references import Reference, committed_references

ROOT = Path(__file__).parents[2]
SEEDS = range(3)


def reference(folder: Path, division: str, *treated: float) -> Reference:
    """Vanilla runs with these means of treated items, on datasets of seeds 0, 1 and so on; one is of three datasets."""
    means = dict(enumerate(treated if len(treated) > 1 else treated * len(SEEDS)))
    return reference_of(folder, division, means)


def reference_of(folder: Path, division: str, means: dict[int, float]) -> Reference:
    runs = [
        make_run("vanilla", seed, treated=mean, training_seed=seed, division=division) for seed, mean in means.items()
    ]
    return make_reference([*runs, *(make_run(None, seed) for seed in means)], folder / f"stub-mini-{division}")


@pytest.mark.parametrize("order", [1, -1])
def test_longer_training_stands_beside_the_first_budget(tmp_path: Path, order: int) -> None:
    both = [reference(tmp_path, "1x", 0.3), reference(tmp_path, "3x", 0.7)]
    text = gap_tables(both[::order])
    assert "| base model, data | cause | 1x | 3x | left |" in text
    for cause in PAPER_CAUSES:
        name = cause.replace("_", " ")
        row = re.search(rf"\| `stub`, mini \| {name} \| (\S+) \[\S+ \S+\] \| (\S+) \[\S+ \S+\] \| (\S+) \|", text)
        assert row, name
        first, last, left = map(float, row.groups())
        assert (first, last) == (pytest.approx(50, abs=1.5), pytest.approx(10, abs=1.5))
        assert left == pytest.approx(last / first, abs=0.01)


def test_what_is_left_is_told_on_the_datasets_of_both_budgets(tmp_path: Path) -> None:
    """Where the gap at 1x is twice as large on the one dataset of 3x, the mean over all would say that more is left."""
    both = [reference(tmp_path, "1x", 0.2, 0.5, 0.5), reference_of(tmp_path, "3x", {0: 0.5})]
    text = gap_tables(both)
    told = re.findall(r"\| `stub`, mini \| knowledge gap \|.*\| (\S+) \|\n", text)
    left = [float(share) for share in told if "." in share]
    assert left == pytest.approx([0.5, 0.5], abs=0.03)  # in both kinds of score
    assert "not for other runs: `stub`, mini, 3x." in " ".join(text.split())
    assert "not for other runs" not in gap_tables([both[0], reference(tmp_path, "2x", 0.5)])


def test_budgets_that_share_no_dataset_say_nothing_of_what_is_left(tmp_path: Path) -> None:
    text = gap_tables([reference_of(tmp_path, "1x", {0: 0.3, 1: 0.3}), reference_of(tmp_path, "3x", {2: 0.7})])
    assert re.findall(r"\| `stub`, mini \| knowledge gap \|.*\] \| (\S+) \|\n", text)[-1] == "-"


def test_one_budget_has_no_table_of_delay(tmp_path: Path) -> None:
    assert "| left |" not in gap_tables([reference(tmp_path, "1x", 0.3)])


def test_the_results_page_holds_the_committed_references() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    names = re.findall(r"--into docs/results\.md((?: [\w.-]+|\s*\\\n\s*[\w.-]+)+)", page)
    shown = names[0].replace("\\", " ").split()
    committed = committed_references()
    assert sorted(shown) == sorted(committed)
    assert inserted(page, gap_tables([committed[name] for name in shown]), MAKER) == page
