"""Quantised checkpoints are run where the machine can, and refused by name where it cannot."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.quantization import quantization_of
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.training.run import train

IDS = torch.tensor([[5, 6, 7, 8]])
BITSANDBYTES = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed here"
)


def quantised(folder: Path, config: dict[str, Any]) -> Path:
    """A copy of nano whose config.json says that it is quantised."""
    shutil.copytree(nano_path(), folder)
    whole = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(whole | {"quantization_config": config}))
    return folder


@pytest.mark.parametrize(
    ("config", "name", "remedy"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 64}, "gptq, 4 bits", "cannot be loaded here"),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, "awq, 4 bits", "cannot be loaded here"),
        ({"quant_method": "aqlm"}, "aqlm", "cannot be loaded here"),
        ({"quant_method": "nobody-knows", "bits": 3}, "nobody-knows", "not supported"),
    ],
    ids=["gptq", "awq", "aqlm", "unknown"],
)
def test_what_cannot_be_run_here_is_refused_by_name(
    tmp_path: Path, config: dict[str, Any], name: str, remedy: str, mini: Dataset
) -> None:
    folder = quantised(tmp_path / "model", config)
    with pytest.raises(UsageError, match=rf"model is quantised \({name}\).*{remedy}.*model\.dequantize") as refusal:
        load_model(locate(str(folder)))
    assert "\n" not in str(refusal.value)
    with pytest.raises(UsageError, match=rf"is quantised \({name}.*training needs whole weights"):
        train(str(folder), "vanilla", mini, tmp_path / "checkpoint")


def test_packed_weights_without_a_word_in_the_config_are_named(tmp_path: Path) -> None:
    folder = shutil.copytree(nano_path(), tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(nano_path())
    packed = {name.replace("q_proj.weight", "q_proj.qweight"): value for name, value in model.state_dict().items()}
    packed.pop("lm_head.weight")
    save_file({name: value.clone() for name, value in packed.items()}, folder / "model.safetensors", {"format": "pt"})
    assert quantization_of(folder) is None
    with pytest.raises(ProblemError, match=r"they are quantised, and its config\.json does not say how"):
        load_model(locate(str(folder)))


@BITSANDBYTES
@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes_is_run_as_it_is_and_adapters_stay_beside_it(tmp_path: Path, bits: int) -> None:
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(**{f"load_in_{bits}bit": True}, bnb_4bit_quant_type="nf4")
    model = AutoModelForCausalLM.from_pretrained(nano_path(), quantization_config=config, device_map="cpu")
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(nano_path()).save_pretrained(folder)
    assert quantization_of(folder) == f"bitsandbytes, {bits} bits"
    loaded, _ = load_model(locate(str(folder)))
    whole, _ = load_model(locate("nano"))
    with torch.no_grad():
        expected = model(IDS).logits
        assert torch.allclose(loaded(IDS).logits.float(), expected.float(), atol=1e-3)
        assert not torch.allclose(whole(IDS).logits, expected.float(), atol=1e-3)
    assert loaded.num_parameters() == whole.num_parameters()
    assert weights_sha256(locate(str(folder))) != weights_sha256(locate("nano"))

    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    adapted = get_peft_model(model, lora)
    adapted.save_pretrained(tmp_path / "adapter")
    stated = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    (tmp_path / "adapter" / "adapter_config.json").write_text(
        json.dumps(stated | {"base_model_name_or_path": str(folder)})
    )
    beside, _ = load_model(locate(str(tmp_path / "adapter")))
    with torch.no_grad():
        assert torch.allclose(beside(IDS).logits.float(), adapted.eval()(IDS).logits.float(), atol=1e-3)
        assert not torch.allclose(beside(IDS).logits.float(), expected.float(), atol=1e-2)
