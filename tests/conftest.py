"""Shared tables: the mini dataset, and runs with chosen learned rates instead of a model."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from filelock import FileLock
from hypothesis import settings

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.data.settings import SIZES
from ilp_bench.records.run_record import Run, read_run, write_run
from ilp_bench.records.samples import SAMPLES
from ilp_bench.records.training_record import TrainingRecord

KEPT = ("probe_id", "item_id", "pair_id", "cause", "arm", "probe", "dose", "prior_answer")
PAIRS = dict.fromkeys(CAUSES.names(), SIZES["mini"])
Chance = Callable[[dict[str, Any]], float]
Shared = Callable[[str, Callable[[Path], object]], Path]

settings.register_profile("full", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "full"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Makes a folder once for all processes of pytest-xdist: the first that asks makes it, the others wait for it."""
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "shared"
    root.mkdir(exist_ok=True)

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        with FileLock(root / f"{name}.lock"):
            if not (root / f"{name}.done").exists():
                make(root / name)
                (root / f"{name}.done").touch()
        return root / name

    return folder


@pytest.fixture(scope="session")
def taught(shared: Shared) -> Path:
    """A tuned nano that the tests of diagnoses share."""
    from broken_trainings import teach

    return shared("taught-nano", teach)


@pytest.fixture(scope="session")
def mini() -> Dataset:
    return make("mini", 0)


@pytest.fixture(scope="session")
def data(mini: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(mini, tmp_path_factory.mktemp("data") / "mini")


SLOW = ("test_quickstart.py", "test_run.py", "test_evaluate.py")  # first, so that no process waits for them at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if "test_browser" in one.nodeid]
    if skipped:
        terminalreporter.write_line(f"the {len(skipped)} browser tests were SKIPPED: {skipped[0].longrepr[2]}")


def record(data: Dataset, recipe: str | None, **changes: Any) -> dict[str, Any]:
    base = {"name": "stub", "revision": None, "weights_sha256": "b" * 64}
    training = None if recipe is None else {"recipe": recipe, "base": base, "tokens": {"sft": 100, "cpt": 0}}
    sha = "b" * 64 if recipe is None else f"{len(recipe):064x}"
    return {
        "ilp_bench": "0.1.0",
        "model": {"name": "stub", "weights_sha256": sha, "architecture": "Stub", "parameters": 1},
        "training": training,
        "data": data.manifest.identity,
        "probed": recipe is None,
        "dtype": "float32",
        "device": "cpu",
        "batch_size": 1,
        "versions": {},
        "hardware": "none",
        "seconds": {"load": 0.0, "score": 0.0},
    } | changes


def samples(data: Dataset, chance: Chance, *, base: bool = False, noise: int = 0) -> pa.Table:
    """Samples in which every probe has the p that ``chance`` gives, with noise of up to a tenth of it."""
    rng = np.random.default_rng(noise)
    rows = []
    for item in data.items.to_pylist():
        p = float(np.clip(chance(item) * rng.uniform(0.9, 1.0), 1e-9, 1.0))
        row = {name: item[name] for name in KEPT}
        logprob = float(np.float32(math.log(p)))  # as models give them
        row |= {"tokens": 2, "logprob": logprob, "p": math.exp(logprob), "greedy": p > 0.5}
        if base and item["probe"] != "paraphrase":
            known = item["cause"] in ("knowledge_gap", "knowledge_conflict") and item["arm"] == "control"
            row |= {"shots_p": 0.9 if known else 0.0, "shots_greedy": known}
            if item["prior_answer"]:
                options = [-0.1 if choice == item["prior_answer"] else -3.0 for choice in item["choices"]]
                share = math.exp(-0.1 - float(np.logaddexp.reduce(options)))
                row |= {"shots_options": options, "belief": item["prior_answer"], "belief_p": share}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def by_arm(treated: float, control: float) -> Chance:
    return lambda item: treated if item["arm"] == "treated" else control


@pytest.fixture(scope="session")
def runs(mini: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of a base model that knows, a vanilla that forgets treated items, and a half recovery."""
    root = tmp_path_factory.mktemp("runs")
    made = {
        "base": (None, by_arm(0.0, 0.0), True),
        "vanilla": ("vanilla", by_arm(0.1, 0.9), False),
        "half": ("combined", by_arm(0.25, 0.9), False),
    }
    for number, (name, (recipe, chance, base)) in enumerate(made.items()):
        write_run(root / name, record(mini, recipe), samples(mini, chance, base=base, noise=number))
    return {name: root / name for name in made}


def retrained(run: Run, **changes: Any) -> None:
    """Change what a run's training record says."""
    assert run.record.training
    run.record.training = TrainingRecord.model_validate(run.record.training.model_dump() | changes)


def make_run(data: Dataset, recipe: str | None, chance: Chance, *, noise: int = 0, **changes: Any) -> Run:
    from ilp_bench.records.run_record import RunRecord

    table = samples(data, chance, base=recipe is None, noise=noise)
    return Run(
        RunRecord(
            **record(data, recipe, **changes),
            samples_sha256=hashlib.sha256(table["p"].to_numpy().tobytes()).hexdigest(),
        ),
        table,
    )


@pytest.fixture(scope="session")
def base_run(mini: Dataset, shared: Shared) -> Run:
    """nano itself, measured with examples shown."""

    def measure(out: Path) -> None:
        from ilp_bench.evaluation.run import evaluate

        evaluate("nano", mini, out, device="cpu")

    return read_run(shared("nano-base", measure))


@pytest.fixture(scope="session")
def board_submissions(shared: Shared) -> Path:
    """Made-up entries of schema 3 on two base models: one re-run, one withdrawn, one flagged, one hostile."""

    def submit(out: Path) -> None:
        from board_entries import furnish, make_entries

        make_entries(out)
        furnish(out)

    return shared("board-submissions", submit)


@pytest.fixture(scope="session")
def board_site(board_submissions: Path, shared: Shared) -> Path:
    """Their site, without the committed references."""
    from ilp_bench.leaderboard import site as site_module
    from ilp_bench.leaderboard.site import render

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site_module, "committed_references", lambda: {})
        return shared("board-site", lambda out: render(board_submissions, out, url="https://example.org/ilp"))


@pytest.fixture
def sixth_cause() -> Iterator[str]:
    """A sixth cause, registered, which no dataset here has."""
    from sixth_cause import SIXTH

    CAUSES.register(SIXTH)
    yield SIXTH.name
    CAUSES.unregister(SIXTH.name)
