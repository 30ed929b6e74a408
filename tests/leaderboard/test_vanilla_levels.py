"""What vanilla leaves at 1x and 3x, from references and entries, and the page about it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from points_entries import GAPS, write_entry, write_reference
from points_runs import make_run

from ilp_bench.leaderboard import site as site_module
from ilp_bench.leaderboard.describe import describe_entry
from ilp_bench.leaderboard.entry import ArmMeans, Entry
from ilp_bench.leaderboard.ranking import base_models
from ilp_bench.leaderboard.site import render
from ilp_bench.leaderboard.vanilla_levels import Level, left, levels_of, verdict
from ilp_bench.records.run_record import Run
from ilp_bench.replication.evidence import read_evidence
from ilp_bench.scoring import references
from ilp_bench.scoring.make_reference import make_reference
from ilp_bench.scoring.references import Reference
from ilp_bench.submission.format import Submission, read_submission

KINDS = ("reproduction", "internalisation")


def level(gap: float) -> Level:
    arms = {kind: {"rare_patterns": ArmMeans(0.9 - gap, 0.9)} for kind in KINDS}
    return Level(arms, {kind: {} for kind in KINDS}, 3, "reference runs")


@pytest.mark.parametrize(
    ("once", "thrice", "expected"),
    [
        (0.5, 0.05, "delay"),
        (0.5, 0.24, "delay, not over at 3x"),
        (0.5, 0.26, "plateau"),
        (0.15, 0.09, "delay"),
        (0.05, 0.3, "no gap at 1x"),
    ],
)
def test_the_verdict_is_what_is_left_at_three_budgets(once: float, thrice: float, expected: str) -> None:
    assert verdict({"1x": level(once), "3x": level(thrice)}, "reproduction", "rare_patterns") == expected


def test_without_a_run_at_3x_nothing_is_claimed() -> None:
    assert verdict({"1x": level(0.5)}, "reproduction", "rare_patterns") == "not known: no run at 3x"
    assert verdict({"3x": level(0.5)}, "reproduction", "rare_patterns") == "not measured at 1x"
    assert verdict({"1x": level(0.5)}, "reproduction", "knowledge_gap") == "not measured at 1x"


def test_what_is_left_is_over_the_datasets_of_both_budgets(tmp_path: Path) -> None:
    """On the one dataset of 3x the gap at 1x is twice that of the others: half of it is left, and not all."""

    def runs(division: str, means: dict[int, float]) -> list[Run]:
        trained = [
            make_run("vanilla", seed, treated=mean, training_seed=seed, division=division)
            for seed, mean in means.items()
        ]
        return [*trained, *(make_run(None, seed) for seed in means)]

    first = make_reference(runs("1x", {0: 0.2, 1: 0.5, 2: 0.5}), tmp_path / "stub-mini-1x")
    last = make_reference(runs("3x", {0: 0.5}), tmp_path / "stub-mini-3x")
    assert left(levels_of([], [first, last]), "reproduction", "rare_patterns") == pytest.approx(0.5, abs=0.03)
    same = make_reference(runs("3x", {0: 0.5, 1: 0.5, 2: 0.5}), tmp_path / "same-mini-3x")
    assert left(levels_of([], [first, same]), "reproduction", "rare_patterns") == pytest.approx(0.75, abs=0.03)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return write_reference(tmp_path_factory.mktemp("references") / "stub-mini-1x")


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    folder = write_entry(tmp_path_factory.mktemp("submissions"), gain=0.2)
    submission = read_submission(folder)
    assert isinstance(submission, Submission)
    return describe_entry(folder, submission, [], [])


def test_a_reference_comes_before_entries_and_vanilla_before_others(reference: Reference, entry: Entry) -> None:
    of_reference = levels_of([entry], [reference])["1x"]
    assert (of_reference.source, of_reference.runs) == ("reference runs", 3)
    for kind, gaps in reference.record.gaps.items():
        for cause, gap in gaps.items():
            estimate = of_reference.gaps[kind][cause]
            assert estimate
            assert estimate.low < estimate.value < estimate.high
            assert of_reference.gap(kind, cause) == pytest.approx(gap) == estimate.value
    of_entry = levels_of([entry], [])["1x"]
    assert of_entry.source == "vanilla of lab / resampling"
    for cause, gap in GAPS.items():
        assert of_entry.gap("reproduction", cause) == pytest.approx(gap, abs=0.05), "its vanilla's, not its own"
    submitted = replace(entry, recipe="vanilla", model="plain")
    of_vanilla = levels_of([entry, submitted], [])["1x"]
    assert of_vanilla.source == "lab / plain"
    for cause, gap in GAPS.items():
        assert of_vanilla.gap("reproduction", cause) == pytest.approx(gap - 0.2, abs=0.05), "its own"
    assert levels_of([replace(entry, budget_division="3x")], []).keys() == {"3x"}


def test_a_base_model_with_a_reference_and_no_entry_shows_its_gaps(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_module, "committed_references", lambda: {reference.name: reference})
    (tmp_path / "submissions").mkdir()
    render(tmp_path / "submissions", tmp_path / "site")
    front = (tmp_path / "site" / "index.html").read_text()
    assert "No entry on dataset 3 yet" in front
    assert "Base models with a reference" in front
    assert '<td>1x<span class="sub">3 runs</span></td>' in front
    assert front.count(" → ") == len(GAPS) + 1, "each cause, and the caption"
    delay = (tmp_path / "site" / "delay.html").read_text()
    assert "Vanilla was not trained at both 1x and 3x on this base model yet" in delay
    assert delay.count(" → ") == len(GAPS) + 1, "its gaps"
    assert "stub, mini" in (tmp_path / "site" / "causes" / "rare_patterns.html").read_text()


def test_the_page_names_delays_and_plateaus(board_site: Path) -> None:
    page = (board_site / "delay.html").read_text()
    told, _, not_told = page.partition("No verdict yet")
    assert '<td class="said">plateau</td>' in told
    assert '<td class="said">delay</td>' in told
    assert "nano" not in told[told.index("<main") :]
    row = told.split("Reproduction</caption>")[1].split("data_inconsistency")[1].split("</tr>")[0]
    gaps = [float(number) for number in re.findall(r'<td class="num">([\d.]+)<', row)]
    (left,) = re.findall(r'<td class="num">(\d+) %<', row)
    assert int(left) == pytest.approx(100 * gaps[1] / gaps[0], abs=1)
    assert ">nano, mini<" in not_told


def test_an_entry_against_a_reference_says_so_and_needs_no_vanilla(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "references_path", lambda: reference.folder.parent)
    monkeypatch.setattr(site_module, "committed_references", lambda: {reference.name: reference})
    write_entry(tmp_path / "submissions", reference=reference)
    assert render(tmp_path / "submissions", tmp_path / "site") == 1
    page = " ".join(next((tmp_path / "site" / "runs").glob("*.html")).read_text().split())
    assert "reference <code>stub-mini-1x</code> (3 vanilla runs)" in page
    assert "--recipe vanilla" not in page
    assert "--budget-from" not in page
    assert "No reference has this base model" not in page
    assert 'stub <span class="sub">' in (tmp_path / "site" / "index.html").read_text()


def test_a_chat_reference_is_of_a_base_model_of_its_own() -> None:
    """What is asked under the chat template is never shown or judged beside what is asked in bare prompts."""
    committed = [each for each in references.committed_references().values() if each.record.base_name == "nano"]
    models = {model.name: model for model in base_models([], committed)}
    assert {name: model.vanilla["1x"].runs for name, model in models.items()} == {"nano": 9, "nano, chat": 3}
    assert models["nano"].slug != models["nano, chat"].slug
    evidence = read_evidence(Path("submissions"), committed)
    assert {base: of_base.first.name for (base, _), of_base in evidence.items()} == {
        "nano": "nano-mini-1x",
        "nano, chat": "nano-mini-chat-1x",
    }
    assert evidence["nano", "mini"].entries
    assert not evidence["nano, chat", "mini"].entries
