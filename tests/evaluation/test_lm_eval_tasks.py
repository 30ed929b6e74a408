"""The task files load through lm-eval's own manager, run on a stub, and agree with ``evaluate``."""

import logging
import math
from collections.abc import Sequence

import pytest
from conftest import PAIRS
from lm_eval.api.model import LM
from lm_eval.evaluator import evaluate as lm_evaluate
from lm_eval.tasks import TaskManager

from ilp_bench.core.metrics import learned
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.settings import RETENTION
from ilp_bench.evaluation.lm_eval_tasks import nanmean, results, tasks_path
from ilp_bench.evaluation.measure import wrap
from ilp_bench.models.loading import load_model
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run

PROBES = [f"ilp_bench_{cause}_{probe}" for cause in CAUSES.names() for probe in ("recall", "paraphrase")]
CHOICES = {
    4: [f"ilp_bench_mc_{cause}" for cause in CAUSES.names()],
    10: [f"ilp_bench_mc10_{cause}" for cause in CAUSES.names()],
}


class Stub(LM):
    """Gives every completion the same chance per character."""

    def loglikelihood(self, requests: Sequence, **_: object) -> list[tuple[float, bool]]:
        self.seen = [request.args for request in requests]
        return [(-0.01 * len(request.args[1]), True) for request in requests]

    def loglikelihood_rolling(self, requests: Sequence, **_: object) -> list[float]:
        raise AssertionError("no rolling request is made")

    def generate_until(self, requests: Sequence, **_: object) -> list[str]:
        raise AssertionError("nothing is generated")


@pytest.fixture(scope="module")
def manager() -> TaskManager:
    logging.disable(logging.WARNING)
    return TaskManager(include_path=str(tasks_path()), include_defaults=False)


def run(manager: TaskManager, names: list[str], lm: LM) -> dict:
    loaded = manager.load(names) if hasattr(manager, "load") else None
    tasks = loaded["tasks"] if loaded else manager.load_task_or_group(names)
    return lm_evaluate(lm=lm, task_dict=tasks, limit=None, log_samples=True, bootstrap_iters=0)


def test_every_file_becomes_a_task_or_a_group(manager: TaskManager) -> None:
    groups = {"ilp_bench", "ilp_bench_mc", "ilp_bench_mc10", *(f"ilp_bench_{cause}" for cause in CAUSES.names())}
    assert set(manager.all_tasks) == {*PROBES, *CHOICES[4], *CHOICES[10], *groups, "ilp_bench_retention"}
    files = [file for file in tasks_path().rglob("*.yaml") if not file.name.startswith("_")]
    assert len(files) == len(manager.all_tasks)


def test_every_probe_runs_on_a_stub(manager: TaskManager, mini: Dataset) -> None:
    stub = Stub()
    found = run(manager, [*PROBES, "ilp_bench_retention"], stub)
    assert len(stub.seen) == mini.items.num_rows
    for name in PROBES:
        samples = found["samples"][name]
        pairs = PAIRS[name.removeprefix("ilp_bench_").rpartition("_")[0]]
        assert len(samples) == 2 * pairs * (1 if name.endswith("recall") else 2)
        assert 0 < found["results"][name]["learned,none"] <= 1
    assert all(prompt.endswith("Answer:") and answer.startswith(" ") for prompt, answer in stub.seen)
    assert all(answer.endswith("\n") for _, answer in stub.seen)


@pytest.mark.parametrize("options", CHOICES)
def test_choices_run_on_a_stub(manager: TaskManager, options: int) -> None:
    stub = Stub()
    found = run(manager, CHOICES[options], stub)
    assert len(stub.seen) == 2 * sum(PAIRS.values()) * options
    assert all(0 <= found["results"][name]["acc,none"] <= 1 for name in CHOICES[options])


def test_lm_eval_and_evaluate_give_the_same_numbers(manager: TaskManager, base_run: Run) -> None:
    found = run(manager, ["ilp_bench_retention", "ilp_bench_knowledge_gap_recall"], wrap(*load_model(locate("nano"))))
    ours = {row["probe_id"]: row["logprob"] for row in base_run.samples.to_pylist()}
    pairs = [
        (sample["filtered_resps"][0][0], ours[sample["doc"]["probe_id"]])
        for samples in found["samples"].values()
        for sample in samples
    ]
    assert len(pairs) == RETENTION["mini"] + 2 * PAIRS["knowledge_gap"]
    assert max(abs(left - right) for left, right in pairs) < 1e-4


def test_metrics_of_one_probe() -> None:
    found = results({"arm": "treated"}, [(math.log(0.25), False)])
    assert found["p"] == pytest.approx(0.25)
    assert found["learned"] == found["learned_treated"] == pytest.approx(float(learned(0.25)))
    assert math.isnan(found["learned_control"])
    assert nanmean([1.0, math.nan, 0.0]) == 0.5
    assert math.isnan(nanmean([math.nan]))
