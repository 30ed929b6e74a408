"""Effects are measured on entries and references alone, and follow what their runs hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from points_entries import GAPS, runs_of, take_for_committed, write_entry, write_reference

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.causes import CAUSES, PAPER_CAUSES
from ilp_bench.replication.claims import ClaimedEffect, judge, read_claims
from ilp_bench.replication.effects import measure
from ilp_bench.replication.evidence import Evidence, read_evidence
from ilp_bench.replication.report import MAKER, heat_map, inserted, page, picture
from ilp_bench.replication.summary import summary
from ilp_bench.scoring.pair_probabilities import KINDS
from ilp_bench.scoring.references import Reference, committed_references
from ilp_bench.submission.decisions import Decision, decide
from ilp_bench.submission.format import Meta
from ilp_bench.submission.submit import submit

OWN = {
    "knowledge_cpt": "knowledge_gap",
    "conflict_cpt": "knowledge_conflict",
    "conflict_buckets": "data_inconsistency",
    "delete_only": "data_inconsistency",
    "resampling": "left_side_forgetting",
    "progressive_epochs": "rare_patterns",
    "rare_upsampling": "rare_patterns",
}
CLAIMS = read_claims()
EFFECTS = [effect for claim in CLAIMS for effect in claim.effects]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Entries of every recipe but group_only; each gains 0.2 on its own cause, deleting half of that."""
    root = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        take_for_committed(patch, root / "references")
        reference = write_reference(root / "references" / "stub-mini-1x")
        write_reference(root / "references" / "stub-mini-3x", division="3x", left=0.7)
        for recipe, cause in OWN.items():
            gain = {cause: 0.1 if recipe == "delete_only" else 0.2}
            write_entry(root / "submissions", org="ilp-bench", recipe=recipe, gain=gain, reference=reference)
        write_entry(root / "submissions", org="stranger", recipe="group_only", reference=reference)
        yield root


@pytest.fixture(scope="module")
def evidence(root: Path) -> Evidence:
    found = read_evidence(root / "submissions", list(committed_references(root / "references").values()))
    assert list(found) == [("stub", "mini")]
    return found["stub", "mini"]


def effects(quantity: str) -> list[ClaimedEffect]:
    return [effect for effect in EFFECTS if effect.quantity == quantity]


def test_shares_are_of_the_gap_and_longer_training_is_scored_like_a_recipe(evidence: Evidence) -> None:
    values = measure(evidence, CLAIMS)

    def mean(effect: ClaimedEffect) -> float:
        assert len(values[effect]) == 3
        return float(np.mean(values[effect]))

    for effect in effects("share_closed"):
        assert mean(effect) == pytest.approx(0.2 / GAPS[effect.cause or ""], abs=0.05)
    for effect in effects("specificity"):
        assert mean(effect) == pytest.approx(0.2 / GAPS[effect.cause or ""], abs=0.07)
    (gap,) = effects("over_longer_training")
    assert mean(gap) == pytest.approx(0.2 / GAPS["knowledge_gap"] - 0.3, abs=0.05)
    (closes,), (short,) = effects("longer_training_closes"), effects("longer_training_falls_short")
    assert mean(closes) == pytest.approx(0.3 - 0.5, abs=0.05)
    assert mean(short) == pytest.approx(0.24 - 0.3, abs=0.05)
    over_deleting, over_grouping = effects("over_recipe")
    assert mean(over_deleting) == pytest.approx(0.1 / GAPS["data_inconsistency"], abs=0.05)
    assert values[over_grouping] == "no entry of group_only"  # a stranger's is none of the reference results
    (resolves,), (hides,) = effects("no_recipe_resolves_all"), effects("average_hides")
    assert mean(resolves) == pytest.approx(0.5, abs=0.05)  # every recipe leaves a cause as it was
    arms = [0.9, *(0.9 - gap for gap in GAPS.values())]
    expected = (5 * 0.9 + sum(arms[1:])) / 10 / 2 - min(arms)
    assert mean(hides) == pytest.approx(expected, abs=0.03)
    assert abs(mean(effects("retention_lost")[0])) < 0.02
    assert abs(mean(effects("latest_minus_earliest")[0])) < 0.1


def test_the_page_shows_points_and_verdicts(evidence: Evidence) -> None:
    text = page({("stub", "mini"): evidence})
    assert "| `resampling` |" in text
    assert "| **C2** |" in text
    verdicts = {each.claim.id: each.verdict for each in judge(measure(evidence, CLAIMS), CLAIMS)}
    assert (verdicts["C2"], verdicts["C3"], verdicts["C8"]) == ("supported", "not tested", "not tested")
    assert verdicts["C1"] == "contradicted"  # longer training closes more than the smallest repair that counts
    assert "no entry of group_only" in text
    assert heat_map(evidence, "stub, mini").count("<rect") == 1 + 5 * len(OWN)
    document = inserted("# Results\n", text, "scripts/results")
    assert inserted(document, text, "scripts/results") == document


def test_the_summary_names_delays_plateaus_and_the_best_repair(evidence: Evidence) -> None:
    table = summary({("stub", "mini"): evidence})
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[4:]]
    assert [row[0] for row in rows] == [CAUSES.get(name).title for name in PAPER_CAUSES]
    best = dict(zip(PAPER_CAUSES, (row[3].split("`")[1] for row in rows), strict=True))
    assert all(OWN[recipe] == cause for cause, recipe in best.items())
    assert best["data_inconsistency"] == "conflict_buckets", "deleting closes half as much"
    for (_, arms, delay, closes), gap in zip(rows, GAPS.values(), strict=True):
        treated, control = map(float, arms.split(" / "))
        assert control - treated == pytest.approx(100 * gap, abs=2)
        assert delay.startswith("plateau: 0.7") or delay.startswith("plateau: 0.69")
        assert float(closes.split(": ")[1].split(" [")[0]) == pytest.approx(0.2 / gap, abs=0.03)
    alone = summary({("stub", "mini"): evidence._replace(entries={}, references={"1x": evidence.first})})
    assert alone.splitlines()[2].count("|") == 3, "what was not measured has no column"


def test_without_longer_training_the_claims_about_it_are_not_tested(evidence: Evidence) -> None:
    values = measure(evidence._replace(references={"1x": evidence.first}), CLAIMS)
    assert values[effects("over_longer_training")[0]] == "no reference of a longer budget"
    assert isinstance(values[effects("latest_minus_earliest")[0]], list)
    assert set(map(str, measure(Evidence({}, {}), CLAIMS).values())) <= {
        "no reference of division 1x", "no reference of a longer budget",
        *(f"no entry of {recipe}" for recipe in (*OWN, "group_only")),
    }  # fmt: skip


@pytest.mark.parametrize("gap", [None, 0.004])
def test_a_share_of_hardly_any_gap_is_not_measured(evidence: Evidence, gap: float | None) -> None:
    """A cause may leave no gap on a base model, or act on too few pairs: it spoils no other cause's specificity."""
    first = evidence.first
    of_kind = {cause: value for cause, value in GAPS.items() if cause != "rare_patterns"}
    of_kind |= {} if gap is None else {"rare_patterns": gap}
    record = first.record.model_copy(update={"gaps": dict.fromkeys(KINDS, of_kind)})
    fewer = evidence._replace(references={**evidence.references, "1x": Reference(first.folder, record)})
    before, after = measure(evidence, CLAIMS), measure(fewer, CLAIMS)
    for effect in EFFECTS:
        if effect.cause == "rare_patterns":
            assert after[effect] == "no gap of 10 points in rare patterns"
        elif effect.quantity == "specificity" and isinstance(after[effect], list):
            assert after[effect] == pytest.approx(before[effect], abs=0.1)


def test_no_recipe_is_the_best_against_a_cause_without_a_gap(evidence: Evidence) -> None:
    entry = evidence.entries["rare_upsampling"]
    scores = entry.submission.scores
    causes = [
        cause.model_copy(update={"reference_gap": 0.004} if cause.cause == "rare_patterns" else {})
        for cause in scores.reproduction.causes
    ]
    reproduction = scores.reproduction.model_copy(update={"causes": causes})
    submission = entry.submission.model_copy(
        update={"scores": scores.model_copy(update={"reproduction": reproduction})}
    )
    entries = {**evidence.entries, "rare_upsampling": entry._replace(submission=submission)}
    del entries["progressive_epochs"]
    assert "`rare_upsampling`" in summary({("stub", "mini"): evidence})
    assert "`rare_upsampling`" not in summary({("stub", "mini"): evidence._replace(entries=entries)})


def test_datasets_that_only_an_entry_has_count_too(root: Path, evidence: Evidence, tmp_path: Path) -> None:
    few = runs_of("conflict_cpt", (0, 1, 2), vanillas=False, bases=False, gain=0.2)
    more = runs_of("conflict_cpt", (3, 4), gain=0.1)
    meta = Meta(org="ilp-bench", model="conflict-cpt", division="1x", description="")
    submit([*few.runs, *more.runs], more.vanillas, more.bases, evidence.first, meta, tmp_path / "submissions")
    found = read_evidence(tmp_path / "submissions", list(evidence.references.values()))["stub", "mini"]
    assert len(found.comparisons) == 5
    effect = next(effect for effect in effects("share_closed") if effect.recipe == "conflict_cpt")
    values = measure(found, CLAIMS)[effect]
    gap = GAPS["knowledge_conflict"]
    assert values == pytest.approx([0.2 / gap] * 3 + [0.1 / gap] * 2, abs=0.1)


def test_two_entries_of_a_recipe_are_a_problem_until_the_older_is_withdrawn(root: Path, evidence: Evidence) -> None:
    submissions = root / "submissions"
    newer = write_entry(submissions, org="ilp-bench", recipe="resampling", gain=0.1, reference=evidence.first)
    references = list(evidence.references.values())
    with pytest.raises(ProblemError, match="resampling has another entry: withdraw the older one"):
        read_evidence(submissions, references)
    about = {"decision": "withdrawn", "reason": "superseded", "date": "2026-11-27", "by": "ilp-bench"}
    decide(submissions, Decision(run_id=newer.name, entry=f"{newer.parent.name}/{newer.name}", **about))
    found = read_evidence(submissions, references)["stub", "mini"]
    assert found.entries["resampling"].submission.run_id != newer.name


def test_the_published_results_are_what_the_committed_entries_give() -> None:
    root = Path(__file__).parents[2]
    evidence = read_evidence(root / "submissions", list(committed_references(root / "references").values()))
    text = (root / "docs" / "results.md").read_text(encoding="utf-8")
    assert inserted(text, page(evidence), MAKER) == text, "run scripts/results"
    text = (root / "docs" / "summary.md").read_text(encoding="utf-8")
    assert inserted(text, summary(evidence), MAKER) == text, "run scripts/results"
    for (base, size), of_base in evidence.items():
        if of_base.entries:
            picture_file = root / "docs" / picture(base, size)
            assert picture_file.read_text(encoding="utf-8") == heat_map(of_base, f"{base}, {size}"), (
                "run scripts/results"
            )
