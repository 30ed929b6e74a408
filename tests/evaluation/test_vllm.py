"""Runs where vLLM is installed (scripts/vllm-cpu makes such an environment), and says so where it is not."""

import dataclasses
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.evaluation.run import evaluate

ABSENT = importlib.util.find_spec("vllm") is None
ENGINE = {"enforce_eager": True, "max_model_len": 512}


@pytest.mark.skipif(ABSENT, reason="vLLM is not installed here: scripts/vllm-cpu makes an environment that has it")
def test_vllm_gives_the_log_probabilities_of_transformers(mini: Dataset, tmp_path: Path) -> None:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    few = dataclasses.replace(mini, items=mini.items.slice(0, 60))
    hf = evaluate("nano", few, tmp_path / "hf", dtype="float32")
    vllm = evaluate("nano", few, tmp_path / "vllm", backend="vllm", dtype="float32", engine=ENGINE)
    left, right = (np.array(run.samples["logprob"].to_pylist()) for run in (hf, vllm))
    assert np.abs(left - right).max() < 1e-3
    assert hf.samples["greedy"].equals(vllm.samples["greedy"])
    assert vllm.record.backend == "vllm"


def test_an_engine_that_stops_is_one_clear_problem(
    mini: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = type("EngineDeadError", (Exception,), {})

    def stop(*_: object, **__: object) -> None:
        raise dead("EngineCore encountered an issue. See stack trace (above) for the root cause.")

    few = dataclasses.replace(mini, items=mini.items.slice(0, 20))
    with monkeypatch.context() as patch:
        patch.setattr("ilp_bench.evaluation.hf.AnswerLM.token_logprobs", stop)
        with pytest.raises(ProblemError, match="run the same command again"):
            evaluate("nano", few, tmp_path / "run", device="cpu")
    assert evaluate("nano", few, tmp_path / "run", device="cpu").samples.num_rows == 20


@pytest.mark.skipif(not ABSENT, reason="vLLM is installed here")
def test_without_vllm_the_remedy_is_named(mini: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pip install 'ilp-bench\[vllm\]'"):
        evaluate("nano", mini, tmp_path / "run", backend="vllm")
    assert not (tmp_path / "run").exists()
