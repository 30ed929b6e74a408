"""The task files load through lm-eval's own manager, run on a stub, and agree with ``evaluate``."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import PAIRS
from lm_eval.api.model import LM
from lm_eval.evaluator import evaluate as lm_evaluate
from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from ilp_bench.core.errors import UsageError
from ilp_bench.core.metrics import unlearned
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.data.settings import RETENTION
from ilp_bench.evaluation.lm_eval_tasks import Probe, documents, gap, gap_stderr, nanmean, results, tasks_path
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


def log_probability(sample: dict) -> float:
    """What the model answered to a sample's only request; lm-eval 0.5 keeps a list of the answers of each."""
    answer = sample["filtered_resps"][0]
    return (answer[0] if isinstance(answer, list) else answer)[0]


def test_every_file_becomes_a_task_or_a_group(manager: TaskManager) -> None:
    groups = {
        "ilp_bench",
        "ilp_bench_reproduction",
        "ilp_bench_internalisation",
        "ilp_bench_mc",
        "ilp_bench_mc10",
        *(f"ilp_bench_{cause}" for cause in CAUSES.names()),
    }
    assert set(manager.all_tasks) == {*PROBES, *CHOICES[4], *CHOICES[10], *groups, "ilp_bench_retention"}
    files = [file for file in tasks_path().rglob("*.yaml") if not file.name.startswith("_")]
    assert len(files) == len(manager.all_tasks)


def test_every_probe_runs_on_a_stub(manager: TaskManager, mini: Dataset) -> None:
    stub = Stub()
    found = run(manager, [*PROBES, "ilp_bench_retention"], stub)
    arms = mini.items["arm"].to_pylist()  # without decoys and calibration items
    assert len(stub.seen) == sum(arm in ("treated", "control", None) for arm in arms) < len(arms)
    for name in PROBES:
        samples = found["samples"][name]
        pairs = PAIRS[name.removeprefix("ilp_bench_").rpartition("_")[0]]
        assert len(samples) == 2 * pairs * (1 if name.endswith("recall") else 2)
        assert 0 < found["results"][name]["unlearned,none"] <= 1
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
        (log_probability(sample), ours[sample["doc"]["probe_id"]])
        for samples in found["samples"].values()
        for sample in samples
    ]
    assert len(pairs) == RETENTION["mini"] + 2 * PAIRS["knowledge_gap"]
    assert max(abs(left - right) for left, right in pairs) < 1e-4


def test_metrics_of_one_probe() -> None:
    metrics = results({"arm": "treated", "pair_id": "a", "cause": "knowledge_gap"}, [(math.log(0.25), False)])
    assert metrics["p"] == metrics["p_treated"] == pytest.approx(0.25)
    assert metrics["unlearned"] == pytest.approx(float(unlearned(0.25)))
    assert math.isnan(metrics["p_control"])
    assert nanmean([1.0, math.nan, 0.0]) == 0.5
    assert math.isnan(nanmean([math.nan]))


def test_the_gap_is_control_minus_treated_and_its_error_is_over_pairs() -> None:
    probes = [Probe("treated", "a", 0.2, "a"), Probe("control", "a", 0.9, "a")]
    assert math.isnan(gap_stderr(probes))
    probes += [Probe("treated", "b", 0.1, "b"), Probe("control", "b", 0.5, "b")]
    assert gap(probes) == pytest.approx((0.7 + 0.4) / 2)
    assert gap_stderr(probes) == pytest.approx(0.15)
    grouped = [*probes, *(probe._replace(pair_id=f"{probe.pair_id}2") for probe in probes)]
    assert gap_stderr(grouped) == pytest.approx(0.15)  # two pairs of a group that agree say no more than one
    several = [*probes, Probe("control", "b", 0.7, "b")]  # two probes of one item count as their mean
    assert gap(several) == pytest.approx((0.7 + 0.5) / 2)
    assert math.isnan(gap(probes[:1]))


class KnowsControls(LM):
    """Knows the control items, and of the treated ones every second."""

    def __init__(self, mini: Dataset) -> None:
        super().__init__()
        self.p = {
            row["prompt"]: 0.9 if row["arm"] == "control" or int(row["pair_id"][-1]) % 2 else 0.1
            for row in mini.items.to_pylist()
            if row["pair_id"]
        }

    def loglikelihood(self, requests: Sequence, **_: object) -> list[tuple[float, bool]]:
        return [(math.log(self.p[request.args[0]]), self.p[request.args[0]] > 0.5) for request in requests]

    loglikelihood_rolling = Stub.loglikelihood_rolling
    generate_until = Stub.generate_until


def test_plain_lm_eval_shows_the_gap_of_each_cause_and_of_the_group(manager: TaskManager, mini: Dataset) -> None:
    """With no bootstrap: lm-eval 0.5 would draw 100,000 samples for every metric but a mean."""
    report = simple_evaluate(
        model=KnowsControls(mini), tasks=["ilp_bench_reproduction"], task_manager=manager, bootstrap_iters=0
    )
    assert report is not None
    results = {name.rpartition("::")[2]: metrics for name, metrics in report["results"].items()}  # 0.5: group::task
    errors = []
    for cause in CAUSES.names():
        metrics = results[f"ilp_bench_{cause}_recall"]
        assert metrics["gap,none"] == pytest.approx(0.4)
        assert metrics["p_control,none"] - metrics["p_treated,none"] == pytest.approx(0.4)
        errors.append(metrics["gap_stderr,none"])
        assert errors[-1] == pytest.approx(0.4 / math.sqrt(PAIRS[cause] - 1))
    group = report["groups"]["ilp_bench_reproduction"]
    assert group["gap,none"] == pytest.approx(0.4)
    assert group["gap_stderr,none"] == pytest.approx(math.sqrt(sum(error**2 for error in errors)) / len(errors))
    cells = [cell.strip() for cell in make_table(report, "groups").split("|")]
    where = cells.index("gap")
    assert (float(cells[where + 2]), cells[where + 3]) == (pytest.approx(0.4), "±")
    assert float(cells[where + 4]) == pytest.approx(group["gap_stderr,none"], abs=1e-4)


def test_a_task_of_a_cause_that_the_dataset_lacks_is_one_clear_line(tmp_path: Path) -> None:
    data = write(make("mini", pairs=4, causes=("rare_patterns", "data_inconsistency")), tmp_path / "data")
    assert documents("rare_patterns", data=str(data))["test"].num_rows == 8
    with pytest.raises(
        UsageError, match="no paraphrase items of knowledge_gap, but of data_inconsistency, rare_patterns"
    ):
        documents("knowledge_gap", "paraphrase", data=str(data))


@pytest.mark.parametrize("name", ["ilp_bench_knowledge_gap_recall", "ilp_bench_mc_knowledge_gap"])
def test_no_exemplar_is_shown_whatever_number_is_asked_for(manager: TaskManager, name: str) -> None:
    """They would come from the same probes, and p would be of another prompt than the trained one."""
    stub = Stub()
    simple_evaluate(model=stub, tasks=[name], task_manager=manager, num_fewshot=2, limit=2, bootstrap_iters=0)
    assert stub.seen
    assert all(prompt.count("Answer:") == 1 for prompt, _ in stub.seen)


def test_the_seed_of_a_model_is_not_that_of_the_dataset() -> None:
    """``--model vllm --model_args seed=1`` arrives here too."""
    with pytest.raises(UsageError, match="say data_seed for the dataset"):
        documents("knowledge_gap", seed=1, pretrained="model")
    first, other = (documents("knowledge_gap", data_seed=seed)["test"]["prompt"] for seed in (0, 1))
    assert first == documents("knowledge_gap")["test"]["prompt"] != other


@pytest.mark.parametrize("given", [{"size": "mini"}, {"data_seed": 0}])
def test_a_folder_has_its_own_size_and_seed(given: dict) -> None:
    with pytest.raises(UsageError, match="leave size and data_seed out"):
        documents("knowledge_gap", data="DATA", **given)
