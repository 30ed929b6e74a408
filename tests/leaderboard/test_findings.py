"""What pages say in words, against the committed results: no sentence may be wrong where a number changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ilp_bench.data.causes import CAUSES
from ilp_bench.leaderboard import pages
from ilp_bench.leaderboard.describe import describe_entry
from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.leaderboard.figures import front_facts
from ilp_bench.leaderboard.findings import BaseJudgements, delays, recipe_tests
from ilp_bench.leaderboard.ranking import BaseModel, base_models
from ilp_bench.leaderboard.recipe_rows import recipe_rows
from ilp_bench.recipes import RECIPES
from ilp_bench.replication.claims import Judgement, read_claims
from ilp_bench.scoring.rank_reasons import Reason
from ilp_bench.scoring.references import committed_references
from ilp_bench.submission.decisions import read_decisions
from ilp_bench.submission.format import Submission, read_submission

SUBMISSIONS = Path(__file__).parents[2] / "submissions"


@pytest.fixture(scope="module")
def models() -> list[BaseModel]:
    """The committed entries on dataset 3 with the committed references."""
    decisions = read_decisions(SUBMISSIONS).history
    entries = []
    for file in sorted(SUBMISSIONS.glob("*/*/submission.json")):
        if '"schema_version": 2' in file.read_text()[:200]:
            continue
        submission = read_submission(file.parent)
        if isinstance(submission, Submission):
            about = [decision for decision in decisions if decision.run_id == submission.run_id]
            entries.append(describe_entry(file.parent, submission, about, []))
    assert entries
    return base_models(entries, list(committed_references().values()))


@pytest.fixture(scope="module")
def texts(models: list[BaseModel], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages about all entries, in one line each, by the name of their file."""
    site = tmp_path_factory.mktemp("findings") / "site"
    claims = read_claims()
    verdicts = ["supported" if number % 2 else "not tested" for number in range(len(claims))]
    judged = BaseJudgements(
        "made up, mini", [Judgement(claim, [], verdict) for claim, verdict in zip(claims, verdicts, strict=True)]
    )
    pages.write_all(site, models, [], [judged], 0, {"url": ""})
    return {file.stem: " ".join(file.read_text().split()) for file in site.rglob("*.html")}


@pytest.fixture(scope="module")
def nano(models: list[BaseModel]) -> BaseModel:
    """The base model that has most ranked entries, the first two of which are tied."""
    return next(model for model in models if model.title == "nano, mini")


def front_page(models: list[BaseModel], site: Path) -> str:
    """The front page about some models, in one line."""
    pages.static(site)
    pages.write_all(site, models, [], [], 0, {"url": ""})
    return " ".join((site / "index.html").read_text().split())


def gains(entry: Any, cause: str) -> bool:
    """Whether the interval of G that was submitted lies above 0, read from the file itself."""
    scores = json.loads((entry.folder / "submission.json").read_text())["scores"]["reproduction"]["causes"]
    return next(score for score in scores if score["cause"] == cause)["points"]["low"] > 0


def test_what_is_said_of_recipes_holds_in_the_committed_entries(models: list[BaseModel], texts: dict[str, str]) -> None:
    said = 0
    for group in (group for model in models for group in model.groups):
        for test in recipe_tests(group):
            (entry,) = test.row.entries
            assert RECIPES.get(test.row.name).cause == test.cause
            assert test.gains == gains(entry, test.cause)
            assert test.elsewhere == [name for name in CAUSES.names() if name != test.cause and gains(entry, name)]
            listed = texts[test.cause].split(f"<li>{group.title}: ")[1].split("</li>")[0]
            told = listed.split(f"<b>{test.row.name}</b> G ")[1].split(";")[0]
            assert ("not beyond chance" in told) != test.gains
            heading = (
                f'{group.base} <span class="division">{group.division}</span></h2><p class="sub">{group.size} data'
            )
            made_for = (
                texts["recipes"].split(heading)[1].split("Made for one cause, and gaining on it beyond chance")[1]
            )
            yes, no = made_for.split("Gaining elsewhere too")[0].split("Not: ")
            assert test.row.name in (yes if test.gains else no)
            said += 1
    assert said


def test_what_is_said_of_more_training_holds_in_the_committed_references(
    models: list[BaseModel], texts: dict[str, str]
) -> None:
    records = {
        (one.record.base_sha256, one.record.division): one.record
        for one in committed_references().values()
        if one.record.prompt_format == "plain"
    }
    compared = [model for model in models if delays(model)]
    assert compared
    for model in compared:
        (sha,) = {record.base_sha256 for record in records.values() if record.base_name.endswith(model.name)}
        once, thrice = (records[sha, division].gaps["reproduction"] for division in ("1x", "3x"))
        for verdict, causes in delays(model).items():
            for cause in causes:
                assert (verdict == "delay") == (thrice[cause] < 0.1 <= once[cause])
                assert (verdict == "plateau") == (thrice[cause] >= max(0.1, once[cause] / 2) and once[cause] >= 0.1)
                assert f"{model.title}, with three times the budget: {verdict}." in texts[cause]
            names = [CAUSES.get(cause).short_title.lower() for cause in causes]
            assert f"<b>{verdict}</b> for {pages.formatting.listed(names)}" in texts["index"]


def test_the_front_page_counts_the_verdicts_and_the_page_of_claims_has_each(texts: dict[str, str]) -> None:
    assert "<b>not tested</b> C1, C3, C5 and C7; <b>supported</b> C2, C4, C6 and C8." in texts["index"]
    verdicts = texts["claims"].split("<h2>Verdicts</h2>")[1].split("</table>")[0]
    for claim in read_claims():
        row = verdicts.split(f"<strong>{claim.id}</strong>")[1].split("</tr>")[0]
        assert ("supported" in row) == (int(claim.id[1:]) % 2 == 0)


def test_the_front_page_begins_with_other_peoples_models(models: list[BaseModel], texts: dict[str, str]) -> None:
    facts = front_facts(models)
    assert facts
    assert not facts["model"].is_built_in
    assert f"After plain fine-tuning of {facts['model'].name}, a training answer" in texts["index"]


def test_the_top_of_the_page_is_the_first_row_and_says_what_it_costs(nano: BaseModel, tmp_path: Path) -> None:
    facts = front_facts([nano])
    assert facts
    best = facts["best"]
    assert best == nano.groups[0].standings[0].entry
    front = front_page([nano], tmp_path / "site")
    fact = front[front.index("<b>First of 7 ranked entries</b>") :][:1000]
    assert "Not distinguishable from it: auto." in fact, "a tie has no best"
    assert f"{100 * facts['vanilla'].base_retention:.1f} in the base model, which is shown examples" in fact
    assert f'<a href="{best.page}">{best.method}</a>' in fact
    times = best.tokens / facts["vanilla"].tokens
    assert f"{times:.1f} × <small>vanilla's tokens</small>" in fact
    assert front.index("plain fine-tuning<span") > front.index(f'data-search="{best.model}"')


@pytest.mark.parametrize(("number", "said"), [(0, "none ranked"), (1, "The only ranked entry"), (3, "First of 3")])
def test_few_entries_are_counted_as_what_they_are(nano: BaseModel, number: int, said: str, tmp_path: Path) -> None:
    """One entry is never called the best of several, nor one of two that are tied, nor anything without ranks."""
    entries = nano.entries
    ranked = [entry for entry in entries if entry.is_ranked and entry.recipe != "vanilla"][:number]
    aside = [replace(entry, not_ranked_because=(Reason("x", "x"),)) for entry in entries[-1:]] if not number else []
    few = base_models([*ranked, *aside], list(committed_references().values()))
    front = front_page(few, tmp_path / "site")
    assert said in front
    assert "The best of" not in front
    assert "0 of 1" not in front


def test_a_clear_lead_is_called_the_best(nano: BaseModel) -> None:
    entries = [entry for entry in nano.entries if entry.is_ranked and entry.recipe != "vanilla"]
    apart = [entry for entry in entries if entry.method != "auto"]
    assert [front_facts(base_models(some, []))["tied"] for some in (entries, apart)] == [[entries[1]], []]  # type: ignore[index]


def test_the_heat_map_tells_what_is_beyond_chance(models: list[BaseModel], texts: dict[str, str]) -> None:
    said = set()
    for group in (group for model in models for group in model.groups):
        heat = texts["recipes"].split(f"Reproduction, {group.title}: G in points")[1].split("</table>")[0]
        for row in recipe_rows(group, "reproduction"):
            cells = heat.split(f">{row.name}</a></th>")[1].split("</tr>")[0].split("</td>")
            for cell, estimate in zip(cells, row.causes.values(), strict=False):
                assert estimate
                assert ('class="unsure"' in cell) == (estimate.low <= 0)
                said.add('class="unsure"' in cell)
    assert said == {True, False}


def test_an_entry_of_others_that_nobody_ran_again_is_not_the_headline(models: list[BaseModel]) -> None:
    entry = next(entry for model in models for entry in model.entries if entry.is_ranked)
    results = entry.results["reproduction"]
    fabricated = replace(
        entry,
        org="others",
        run_id="f" * 16,
        results={**entry.results, "reproduction": results._replace(share=Estimate(0.99, 0.98, 1.0), by_dataset={})},
    )
    facts = front_facts(base_models([entry, fabricated], list(committed_references().values())))
    assert facts
    assert (facts["best"].org, facts["ahead"], facts["ranked"]) == (entry.org, 1, 2)
