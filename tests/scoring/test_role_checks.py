"""A run that is not what it was given as is refused by name, on the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import by_arm, make_run, retrained

import ilp_bench
from ilp_bench.core.errors import ProblemError
from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Runs
from ilp_bench.scoring.role_checks import CONVERGED, check_roles, control_recall


@pytest.fixture
def three(mini: Dataset) -> Runs:
    return Runs(
        make_run(mini, "combined", by_arm(0.25, 0.9)),
        make_run(mini, "vanilla", by_arm(0.1, 0.9)),
        make_run(mini, None, by_arm(0.0, 0.0)),
    )


def refused(runs: Runs, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as problem:
        check_roles([runs])
    assert "\n" not in str(problem.value)


def test_runs_that_are_what_they_are_given_as_pass(three: Runs) -> None:
    check_roles([three, three._replace(base=None)])


def test_swapped_runs_are_named(three: Runs) -> None:
    refused(three._replace(submission=three.vanilla, vanilla=three.submission), "they were swapped")
    assert three.base
    refused(Runs(three.base, three.vanilla, three.submission), "base run and submitted run were swapped")
    refused(Runs(three.submission, three.base, three.vanilla), "base run and vanilla run were swapped")


def test_the_base_model_is_no_submission_and_no_vanilla(three: Runs) -> None:
    assert three.base
    refused(three._replace(submission=three.base), "the submitted run is of the base model itself")
    refused(three._replace(vanilla=three.base), "the vanilla run is of the base model itself")


def test_a_run_on_another_dataset_than_it_was_trained_on(three: Runs) -> None:
    retrained(three.submission, data={"size": "mini", "seed": 5, "version": "2", "content_sha256": "c" * 64})
    refused(three, r"trained on another dataset .* \(size mini, seed 5; evaluated on mini, seed 0\)")


def test_vanilla_that_was_stopped_too_early(three: Runs, mini: Dataset) -> None:
    early = make_run(mini, "vanilla", by_arm(0.1, 0.25))
    assert control_recall(early) < CONVERGED < control_recall(three.vanilla)
    refused(three._replace(vanilla=early), "vanilla learned 0.7. of its control recall probes")


def test_score_refuses_too(runs: dict[str, Path], mini: Dataset) -> None:
    assert ilp_bench.score(runs["half"], runs["vanilla"], runs["base"])
    with pytest.raises(ProblemError, match="they were swapped"):
        ilp_bench.score(runs["vanilla"], runs["half"], runs["base"])
    old = [make_run(mini, recipe, by_arm(0.1, 0.2)) for recipe in ("combined", "vanilla")]
    for run in old:
        run.record.data.version = "2"
    with pytest.raises(ProblemError, match="stopped too early"):
        ilp_bench.score(*old)
