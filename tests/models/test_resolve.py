"""Where a model comes from: the Hub's cache with a revision, code of its own."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate, weights_sha256

OWN = """
from transformers import LlamaConfig, LlamaForCausalLM
class Config(LlamaConfig):
    model_type = "own"
class Model(LlamaForCausalLM):
    config_class = Config
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub client's cache, without network, holding two revisions of lab/nano."""
    for name, value in {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": True}.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    for revision, sha in (("main", "a" * 40), ("v2", "b" * 40)):
        shutil.copytree(nano_path(), tmp_path / "models--lab--nano" / "snapshots" / sha)
        (tmp_path / "models--lab--nano" / "refs").mkdir(exist_ok=True)
        (tmp_path / "models--lab--nano" / "refs" / revision).write_text(sha)
    return tmp_path


def test_a_hub_id_is_pinned_to_the_commit_of_its_revision(hub: Path) -> None:
    assert locate("lab/nano").revision == "a" * 40
    located = locate("lab/nano@v2")
    assert (located.name, located.revision) == ("lab/nano", "b" * 40)
    assert locate(f"lab/nano@{'a' * 40}").revision == "a" * 40
    assert weights_sha256(located) == weights_sha256(locate("nano"))
    for absent in ("lab/nano@v3", "lab/other"):
        with pytest.raises(UsageError, match="could not be downloaded"):
            locate(absent)


def test_an_adapter_finds_its_base_on_the_hub(hub: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    shutil.copyfile(nano_path() / "model.safetensors", adapter / "adapter_model.safetensors")
    for config, revision in (
        ({"base_model_name_or_path": "lab/nano@v2"}, "b" * 40),
        ({"base_model_name_or_path": "lab/nano", "revision": "v2"}, "b" * 40),
        ({"base_model_name_or_path": "lab/nano", "revision": None}, "a" * 40),
    ):
        (adapter / "adapter_config.json").write_text(json.dumps(config))
        assert locate(str(adapter)).root.revision == revision


def test_code_of_a_model_runs_only_when_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(nano_path(), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\n{OWN}")
    with pytest.raises(ProblemError, match="cannot be loaded"):
        load_model(locate(str(folder)))
    assert not ran.exists()
    model, tokenizer = load_model(locate(str(folder)), remote_code=True)
    assert ran.exists()
    assert type(model).__name__ == "Model"
    ids = torch.tensor([tokenizer("The capital")["input_ids"]])
    assert torch.equal(model(ids).logits, load_model(locate("nano"))[0](ids).logits)
