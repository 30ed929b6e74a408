"""Where a model comes from: the Hub's cache with a revision, code of its own."""

import ast
import json
import shutil
from pathlib import Path

import pytest
import torch
from own_code import own_code_model

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.evaluation.vllm import check_head
from ilp_bench.models.loading import load_config, load_model, load_tokenizer
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.training.trainer_configs import MS_SWIFT


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


def test_code_of_a_model_runs_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question on the terminal"))
    ran = tmp_path / "ran"
    folder = own_code_model(tmp_path / "own", ran)
    located = locate(str(folder))
    for load, what in ((load_model, located), (load_tokenizer, located), (load_config, folder), (check_head, folder)):
        with pytest.raises(ProblemError, match="cannot be loaded: it comes with Python code of its own"):
            load(what)
    assert not ran.exists()
    model, tokenizer = load_model(locate(str(folder)), remote_code=True)
    assert ran.exists()
    assert type(model).__name__ == "Model"
    ids = torch.tensor([tokenizer("The capital")["input_ids"]])
    assert torch.equal(model(ids).logits, load_model(locate("nano"))[0](ids).logits)


def test_no_loading_leaves_it_to_a_question_whether_code_may_run() -> None:
    """``trust_remote_code`` of None lets transformers ask on the terminal, and run the code."""
    root = Path(__file__).parents[2]
    files = [*root.glob("ilp_bench/**/*.py"), *root.glob("integrations/**/*.py"), *root.glob("scripts/**/*")]
    sources = {file: file.read_text() for file in files if file.is_file() and file.suffix in ("", ".py")}
    trees = [ast.parse(text) for file, text in sources.items() if file.suffix or "python" in text.partition("\n")[0]]
    trees.append(ast.parse(MS_SWIFT))
    calls = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "from_pretrained"
        and ast.unparse(node.func.value).startswith("Auto")
    ]
    assert len(calls) >= 5
    unsaid = [ast.unparse(call) for call in calls if all(each.arg != "trust_remote_code" for each in call.keywords)]
    assert not unsaid
