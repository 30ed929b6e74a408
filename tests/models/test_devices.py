import pytest
import torch

from ilp_bench.core.errors import UsageError
from ilp_bench.models import devices
from ilp_bench.models.devices import pick_dtype, pick_training_dtype


@pytest.mark.parametrize(
    ("device", "native", "dtype"),
    [("cpu", True, "float32"), ("cuda", True, "bfloat16"), ("cuda:1", True, "bfloat16"), ("cuda", False, "float32")],
)
def test_auto_is_bfloat16_only_where_a_gpu_computes_in_it(
    device: str, native: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation)
    assert pick_training_dtype("auto", device) == dtype
    assert pick_dtype("auto", device) == dtype
    for named in ("float32", "bfloat16"):
        assert pick_training_dtype(named, device) == named


def test_training_follows_the_launcher_and_refuses_what_contradicts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "LAUNCHED_PRECISION", "bf16")
    assert pick_training_dtype("auto", "cpu") == pick_training_dtype("bfloat16", "cpu") == "bfloat16"
    with pytest.raises(UsageError, match="leave one of them out"):
        pick_training_dtype("float32", "cpu")
    monkeypatch.setattr(devices, "LAUNCHED_PRECISION", "fp16")
    with pytest.raises(UsageError, match="bf16 or none"):
        pick_training_dtype("auto", "cpu")


def test_deepspeed_trains_in_float32_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert pick_training_dtype("auto", "cuda") == pick_training_dtype("float32", "cuda") == "float32"
    with pytest.raises(UsageError, match="rounds the weights"):
        pick_training_dtype("bfloat16", "cuda")
    monkeypatch.setattr(devices, "LAUNCHED_PRECISION", "bf16")
    with pytest.raises(UsageError, match="mixed precision no"):
        pick_training_dtype("auto", "cuda")


@pytest.mark.parametrize("dtype", ["float16", "bf16"])
def test_what_cannot_be_trained_in(dtype: str) -> None:
    with pytest.raises(UsageError, match="use auto, float32 or bfloat16"):
        pick_training_dtype(dtype, "cpu")
