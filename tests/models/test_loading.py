"""Models load as they were meant, or not at all: nothing is made up, dropped or taken from elsewhere in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertLMHeadModel,
    MambaConfig,
    PhimoeConfig,
)

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.dataset import make
from ilp_bench.evaluation.hf import AnswerLM
from ilp_bench.evaluation.in_memory import evaluate_model
from ilp_bench.evaluation.vllm import check_head
from ilp_bench.models.loading import load_model
from ilp_bench.models.nano import nano_path
from ilp_bench.models.resolve import Located, locate, tokenizer_folder, weights_sha256
from ilp_bench.training.adapter import add_adapter

Tensors = dict[str, torch.Tensor]
IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(nano_path(), tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, change: Callable[[Tensors], Tensors], file: str = "model.safetensors") -> None:
    """Replace the weights of a folder by what ``change`` makes of them."""
    changed = {name: tensor.clone() for name, tensor in change(load_file(folder / file)).items()}
    save_file(changed, folder / file, metadata={"format": "pt"})


def renamed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()}


def logits(located: Any) -> torch.Tensor:
    model, _ = load_model(located)
    with torch.no_grad():
        return model(IDS).logits


def save_adapter(out: Path, config: PeftConfig, base: str = "nano", tokenizer: Any = None, resize: int = 0) -> None:
    """An adapter of nano with random weights, so that it changes every output."""
    model = AutoModelForCausalLM.from_pretrained(nano_path())
    if resize:
        model.resize_token_embeddings(resize, mean_resizing=False)
    torch.manual_seed(0)
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad and "magnitude" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    adapted.save_pretrained(out)
    stated = json.loads((out / "adapter_config.json").read_text()) | {"base_model_name_or_path": base}
    (out / "adapter_config.json").write_text(json.dumps(stated))
    if tokenizer is not None:
        tokenizer.save_pretrained(out)


LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed("_orig_mod."), "missing weights .* unexpected weights .*torch.compile"),
        (renamed("module."), "DistributedDataParallel"),
        (renamed("_fsdp_wrapped_module."), "FSDP"),
        (renamed("base_model.model."), "PEFT"),
        (lambda tensors: {n: t for n, t in tensors.items() if "layers.1." not in n}, "missing weights model.layers.1."),
        (lambda tensors: tensors | {"model.extra.weight": torch.zeros(3)}, "unexpected weights model.extra.weight"),
        (
            lambda tensors: {n: t[:-1] if n == "model.norm.weight" else t for n, t in tensors.items()},
            r"wrongly shaped weights model.norm.weight \(\d+ in the file, \d+ by config.json\)",
        ),
    ],
    ids=["compiled", "ddp", "fsdp", "peft", "layer", "extra", "shape"],
)
def test_weights_that_do_not_fit_are_named(folder: Path, change: Callable[[Tensors], Tensors], message: str) -> None:
    rewrite(folder, change)
    with pytest.raises(ProblemError, match=message) as problem:
        load_model(locate(str(folder)))
    assert "\n" not in str(problem.value)


def test_a_config_that_wants_far_more_than_the_file_takes_no_memory(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 24, "hidden_size": 65536}))
    with pytest.raises(ProblemError, match=r"do not fit its config\.json: [\d,]+ values, [\d,]+ wanted"):
        load_model(locate(str(folder)))


def test_a_tied_head_need_not_be_saved_and_an_untied_one_must(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["tie_word_embeddings"]
    assert torch.equal(logits(locate(str(folder))), logits(locate("nano")))
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    with pytest.raises(ProblemError, match=r"missing weights lm_head\.weight"):
        load_model(locate(str(folder)))


@pytest.mark.parametrize("is_decoder", [False, True])
def test_an_encoder_is_no_causal_language_model(folder: Path, *, is_decoder: bool) -> None:
    """BERT has read an answer when it is asked for it; its class loads as a causal language model all the same."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    bert = BertLMHeadModel(BertConfig(vocab_size=2048, is_decoder=is_decoder, **sizes))
    for weights in bert.parameters():
        if weights.dim() > 1:
            weights.data.normal_(0, 0.4)
    (folder / "model.safetensors").unlink()
    bert.save_pretrained(folder)
    if is_decoder:
        load_model(locate(str(folder)))
        return
    with pytest.raises(ProblemError, match="BertLMHeadModel reads an answer before it is asked for it"):
        load_model(locate(str(folder)))
    tokenizer, few = AutoTokenizer.from_pretrained(folder), make("mini", 0)
    with pytest.raises(ProblemError, match="use a causal language model"):
        evaluate_model(bert, tokenizer, few)


def test_shards_are_those_of_the_index_and_all_there(folder: Path) -> None:
    whole = logits(locate(str(folder)))
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="1MB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    assert torch.equal(logits(locate(str(folder))), whole)
    sha = weights_sha256(locate(str(folder)))
    save_file({"left.over": torch.zeros(1)}, folder / "consolidated.safetensors")
    assert weights_sha256(locate(str(folder))) == sha, "a file that is not loaded is not hashed"
    shards[0].unlink()
    with pytest.raises(ProblemError, match=f"{shards[0].name} is missing: the upload or download is not complete"):
        locate(str(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"not a header", "not a safetensors file"),
        (b"", "not a safetensors file"),
    ],
)
def test_files_that_are_no_weights_are_one_clear_problem(folder: Path, content: bytes, message: str) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ProblemError, match=message):
        locate(str(folder))


def test_a_file_cut_short_is_one_clear_problem(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(ProblemError, match="cut short"):
        locate(str(folder))


def test_pickled_weights_are_refused_for_models_and_adapters(folder: Path, tmp_path: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    save_adapter(tmp_path / "adapter", LoraConfig(**LORA))
    torch.save(
        load_file(tmp_path / "adapter" / "adapter_model.safetensors"), tmp_path / "adapter" / "adapter_model.bin"
    )
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    for model in (folder, tmp_path / "adapter"):
        with pytest.raises(ProblemError, match="pickled weights can run code"):
            locate(str(model))


def test_what_a_trainer_pickles_beside_an_adapter_is_no_weights(tmp_path: Path) -> None:
    save_adapter(tmp_path, LoraConfig(**LORA))
    (tmp_path / "adapter_model.safetensors").unlink()
    for name in ("training_args.bin", "optimizer.pt", "rng_state_0.pth"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ProblemError, match=r"no adapter_model\.safetensors: the upload or download is not complete"):
        locate(str(tmp_path))


def test_tokens_added_without_embeddings_are_one_clear_problem(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["jasper"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ProblemError, match=r"tokens \(jasper\) beyond the \d+ embeddings"):
        load_model(locate(str(folder)))


def test_a_special_token_that_no_text_holds_may_lack_an_embedding(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    assert torch.equal(logits(locate(str(folder))), logits(locate("nano")))


@pytest.mark.parametrize(
    "config",
    [
        LoraConfig(**LORA),
        LoraConfig(**LORA, use_dora=True),
        LoraConfig(**LORA, use_rslora=True),
        LoraConfig(**(LORA | {"target_modules": ["q_proj"]}), modules_to_save=["lm_head"]),
    ],
    ids=["lora", "dora", "rslora", "modules_to_save"],
)
@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")
def test_adapters_are_merged_and_say_what_they_were_trained_to_say(config: LoraConfig, tmp_path: Path) -> None:
    save_adapter(tmp_path / "adapter", config)
    from peft import PeftModel

    model = AutoModelForCausalLM.from_pretrained(nano_path())
    unmerged = PeftModel.from_pretrained(model, str(tmp_path / "adapter")).eval()
    with torch.no_grad():
        wanted = unmerged(IDS).logits
    merged = logits(locate(str(tmp_path / "adapter")))
    assert torch.allclose(merged, wanted, atol=1e-4)
    assert not torch.allclose(merged, logits(locate("nano")), atol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: {n.replace("model.model.", "model.model.language_model."): t for n, t in tensors.items()}, ""),
        (lambda tensors: dict(list(tensors.items())[2:]), "missing weights"),
    ],
    ids=["renamed", "half"],
)
def test_an_adapter_that_does_not_fit_is_refused(
    change: Callable[[Tensors], Tensors], message: str, tmp_path: Path
) -> None:
    save_adapter(tmp_path / "adapter", LoraConfig(**LORA))
    rewrite(tmp_path / "adapter", change, "adapter_model.safetensors")
    with pytest.raises(ProblemError, match=f"does not fit its base model.*{message}"):
        load_model(locate(str(tmp_path / "adapter")))


@pytest.mark.parametrize(
    "config",
    [
        MambaConfig(vocab_size=2048, hidden_size=32, num_hidden_layers=2, state_size=8),
        PhimoeConfig(vocab_size=2048, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                     intermediate_size=32, num_local_experts=4, max_position_embeddings=64),
    ],
    ids=["mamba", "phimoe"],
)  # fmt: skip
def test_layers_that_can_have_no_adapter_are_left_out(config: Any, folder: Path, tmp_path: Path) -> None:
    """Kernels of Mamba read a weight themselves; a router gives more than one result."""
    (folder / "model.safetensors").unlink()
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    located = locate(str(folder))
    model, tokenizer = load_model(located)
    adapted = add_adapter(model, located, 4, seed=0)
    before = adapted(IDS).logits
    before.sum().backward()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name and parameter.grad is not None:
                parameter.normal_(0, 0.2)
        after = adapted(IDS).logits
    adapted.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert not torch.allclose(after, before, atol=1e-3)
    assert torch.allclose(logits(locate(str(tmp_path / "adapter"))), after, atol=1e-4)


def test_prompt_tuning_is_refused_by_name(tmp_path: Path) -> None:
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    save_adapter(tmp_path / "adapter", config)
    with pytest.raises(ProblemError, match=r"PROMPT_TUNING adapter.*not supported"):
        load_model(locate(str(tmp_path / "adapter")))


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning")
def test_an_adapter_brings_its_tokenizer_template_and_added_tokens(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(nano_path())
    tokenizer.add_tokens(["jasper"])
    tokenizer.chat_template = "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    save_adapter(tmp_path / "adapter", LoraConfig(**LORA), tokenizer=tokenizer, resize=len(tokenizer))
    located = locate(str(tmp_path / "adapter"))
    assert tokenizer_folder(located) == tmp_path / "adapter"
    model, loaded = load_model(located)
    assert loaded.chat_template == tokenizer.chat_template
    assert loaded.convert_tokens_to_ids("jasper") == len(tokenizer) - 1
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer)


def test_a_template_alone_beside_an_adapter_counts(tmp_path: Path) -> None:
    save_adapter(tmp_path / "adapter", LoraConfig(**LORA))
    (tmp_path / "adapter" / "chat_template.jinja").write_text("{{ messages[0].content }}")
    _, tokenizer = load_model(locate(str(tmp_path / "adapter")))
    assert tokenizer.chat_template == "{{ messages[0].content }}"


def test_a_chain_of_adapters_applies_them_all(tmp_path: Path) -> None:
    for name, base in (("first", "nano"), ("second", str(tmp_path / "first"))):
        save_adapter(tmp_path / name, LoraConfig(**LORA), base=base)
    first, second = (logits(locate(str(tmp_path / name))) for name in ("first", "second"))
    alone = locate(str(tmp_path / "second"), base="nano")
    assert not torch.allclose(second, first, atol=1e-2)
    assert not torch.allclose(second, logits(alone), atol=1e-2)
    assert weights_sha256(alone) != weights_sha256(locate(str(tmp_path / "second")))


def test_the_base_of_another_machine_can_be_named(tmp_path: Path) -> None:
    save_adapter(tmp_path / "adapter", LoraConfig(**LORA), base="/home/someone/models/base")
    with pytest.raises(UsageError, match="the base model '/home/someone/models/base' of the adapter"):
        locate(str(tmp_path / "adapter"))
    assert locate(str(tmp_path / "adapter"), base="nano").root.name == "nano"
    with pytest.raises(UsageError, match="nano is not an adapter"):
        locate("nano", base="nano")


def test_several_adapters_in_one_folder_are_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_adapter(tmp_path / "run" / name, LoraConfig(**LORA))
    with pytest.raises(UsageError, match=r"give one of .*run/one, .*run/two"):
        locate(str(tmp_path / "run"))


def test_the_command_line_takes_the_base_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ilp_bench.cli.main import main
    from ilp_bench.data.dataset import make, write

    save_adapter(tmp_path / "adapter", LoraConfig(**LORA), base="/home/someone/models/base")
    write(make("mini", 0, pairs=2, causes=("rare_patterns",)), tmp_path / "data")
    call = ["ilp-bench", "evaluate", "--model", str(tmp_path / "adapter"), "--data", str(tmp_path / "data")]
    call += ["--no-probe-base", "--device", "cpu", "--threads", "1", "--json", "--out", str(tmp_path / "run")]
    for base, code in (([], 2), (["--base", "nano"], 0)):
        monkeypatch.setattr("sys.argv", call + base)
        with pytest.raises(SystemExit) as done:
            main()
        assert done.value.code == code
    assert (tmp_path / "run" / "run.json").is_file()


def give_it_its_own_head(tensors: Tensors) -> Tensors:
    """As a trainer saves that had untied the head, and left the config as it was."""
    head = tensors["model.embed_tokens.weight"]
    return tensors | {"lm_head.weight": head + 0.1 * head.std() * torch.randn(head.shape, generator=generator())}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_head_of_its_own_is_kept_though_the_config_ties_it(folder: Path, tmp_path: Path) -> None:
    rewrite(folder, give_it_its_own_head)
    expected = AutoModelForCausalLM.from_pretrained(folder)(IDS).logits.detach()
    model, tokenizer = load_model(locate(str(folder)))
    head = model.lm_head.weight
    measured = AnswerLM(model, tokenizer).model
    assert measured.lm_head.weight is head
    assert torch.allclose(measured(IDS).logits, expected)
    assert not torch.allclose(logits(locate("nano")), expected)
    model.save_pretrained(tmp_path / "again")
    tokenizer.save_pretrained(tmp_path / "again")
    assert torch.allclose(logits(locate(str(tmp_path / "again"))), expected)


def test_a_model_in_training_keeps_its_head_when_it_is_measured(folder: Path) -> None:
    rewrite(folder, give_it_its_own_head)
    model = AutoModelForCausalLM.from_pretrained(folder)
    head = model.lm_head.weight
    AnswerLM(model, AutoTokenizer.from_pretrained(folder))
    assert model.lm_head.weight is head
    assert "tie_weights" not in vars(model)


@pytest.mark.parametrize(("name", "revision"), [("lab/model", "c" * 40), ("nano", None)])
def test_a_new_adapter_names_its_base_and_its_revision(folder: Path, name: str, revision: str | None) -> None:
    located = Located(folder, name, revision)
    model, _ = load_model(located)
    config = add_adapter(model, located, 4, 0).peft_config["default"]
    base = name if revision else str(folder.resolve())  # a folder is not the embedded model of its name
    assert (config.base_model_name_or_path, config.revision) == (base, revision)
    config = add_adapter(load_model(locate("nano"))[0], locate("nano"), 4, 0).peft_config["default"]
    assert (config.base_model_name_or_path, config.revision) == ("nano", None)
    assert config.target_modules == sorted(config.target_modules)  # the same file, whatever the hash seed


def test_vllm_is_not_given_a_head_that_it_would_leave_out(folder: Path) -> None:
    check_head(folder)
    rewrite(folder, give_it_its_own_head)
    with pytest.raises(ProblemError, match="set tie_word_embeddings to false"):
        check_head(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    check_head(folder)
