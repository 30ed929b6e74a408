import json
from pathlib import Path

import numpy as np
import pytest
from conftest import read_replicates

from ilp_bench.leaderboard.entry import read_entry
from ilp_bench.leaderboard.item_matrix import item_boards
from ilp_bench.leaderboard.ranking import ROUNDING, Group, groups
from ilp_bench.leaderboard.stored_rates import StoredRates, from_json, from_replicates
from ilp_bench.scoring.recovery import recovery
from ilp_bench.submission.decisions import Decision
from ilp_bench.submission.format import read_submission


@pytest.fixture(scope="module")
def folders(synthetic_submissions: Path) -> list[Path]:
    return sorted(path.parent for path in synthetic_submissions.glob("*/*/submission.json"))


@pytest.fixture(scope="module")
def rates(folders: list[Path]) -> dict[str, StoredRates]:
    return {
        read_entry(folder, ()).slug: from_replicates(read_replicates(folder, read_submission(folder)))
        for folder in folders
    }


@pytest.fixture(scope="module")
def ranked(folders: list[Path], rates: dict[str, StoredRates]) -> list[Group]:
    return groups([read_entry(folder, ()) for folder in folders], rates)


def recoveries(stored: StoredRates) -> dict[str, float]:
    rates = stored.rates
    return {
        cause: float(recovery(*(rate[start:end][active].mean() for rate in (rates.treated, *rates[2:]))))
        for cause, start, end in stored.spans
        for active in [stored.active[start:end]]
    }


def test_stored_rates_give_the_scores(folders: list[Path], rates: dict[str, StoredRates]) -> None:
    for folder in folders:
        entry = read_entry(folder, ())
        again = recoveries(from_json(json.loads(json.dumps(rates[entry.slug].to_json()))))
        for name, cause in entry.causes.items():
            if cause["recovery"]:
                assert again[name] == pytest.approx(cause["recovery"]["value"], abs=1e-4)


def test_differences_are_those_of_the_scores_and_paired(ranked: list[Group]) -> None:
    for group in ranked:
        first = group.standings[0].entry.overall
        for one in group.standings:
            if not (first and one.behind and one.entry.overall):
                continue
            assert one.behind["value"] == pytest.approx(first["value"] - one.entry.overall["value"])
            assert one.behind["low"] - ROUNDING <= one.behind["value"] <= one.behind["high"] + ROUNDING
    combined = ranked[0].standings
    wide = [end["high"] - end["low"] for one in combined[1:] for end in [one.entry.overall] if end]
    unpaired = [np.hypot(w, combined[0].entry.overall["high"] - combined[0].entry.overall["low"]) for w in wide]
    paired = [one.behind["high"] - one.behind["low"] for one in combined[1:]]
    assert np.mean(paired) < np.mean(unpaired)


def test_copies_share_a_rank_and_resolved_entries_do_not(ranked: list[Group]) -> None:
    closed = next(group for group in ranked if group.title == "synthetic-llama, closed")
    by_name = {one.entry.model: one for one in closed.standings}
    assert by_name["hostile"].rank == by_name["llama-vanilla"].rank
    assert by_name["hostile"].shared
    assert by_name["llama-combined"].rank == 1
    assert not by_name["llama-combined"].shared
    assert all(one.rank > 1 for name, one in by_name.items() if name != "llama-combined")
    assert 0 < (closed.resolvable or 0) < 0.2


def test_ranks_follow_from_differences_to_the_first_of_each_rank(
    ranked: list[Group], rates: dict[str, StoredRates]
) -> None:
    """The same by another way: the bootstrap pair by pair with other draws, entry against the first of its rank."""
    group = ranked[0]
    rng = np.random.default_rng(1)
    layout = rates[group.standings[0].entry.slug]
    picks = [rng.integers(start, end, size=(1500, end - start)) for _, start, end in layout.spans]

    def draws(slug: str) -> np.ndarray:
        s, _, v, control = rates[slug].rates
        means = [[part[at].mean(axis=1) for part in (s, v, control)] for at in picks]
        return np.mean([np.clip((a - b) / (c - b), -1, 1) for a, b, c in means], axis=0)

    leader = group.standings[0]
    for one in group.standings:
        low = np.quantile(draws(leader.entry.slug) - draws(one.entry.slug), 0.025)
        if abs(low) > 0.004:  # else the two sets of draws may disagree
            assert (low > 0) == (one.rank != leader.rank)
        if one.rank != leader.rank:
            leader = one


def test_a_withdrawn_entry_does_not_lead(folders: list[Path], rates: dict[str, StoredRates]) -> None:
    def about(folder: Path) -> list[Decision]:
        if "combined" not in folder.parent.name:
            return []
        entry = f"{folder.parent.name}/{folder.name}"
        words = {"decision": "withdrawn", "reason": "x", "date": "2026-11-24", "by": "y"}
        return [Decision(run_id=folder.name, entry=entry, **words)]

    for group in groups([read_entry(folder, about(folder)) for folder in folders], rates):
        assert group.first is None or "combined" not in group.first.model
        assert all(one.rank is None for one in group.standings if "combined" in one.entry.model)


def test_the_item_board_counts_who_learned_what(ranked: list[Group], rates: dict[str, StoredRates]) -> None:
    group = ranked[0]
    for board in item_boards(group, rates):
        start, end = next((a, b) for cause, a, b in rates[group.standings[0].entry.slug].spans if cause == board.cause)
        learned = np.array([rates[one.entry.slug].values[0][start:end] / 65_535 >= 0.5 for one in group.standings])
        assert sorted(item.learned_by for item in board.items) == sorted(learned.sum(axis=0))
        assert board.nobody == (learned.sum(axis=0) == 0).sum()
        assert board.only == (learned.sum(axis=0) == 1).sum()
        assert sum(board.bins) == end - start
