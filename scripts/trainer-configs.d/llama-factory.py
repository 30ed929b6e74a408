"""LLaMA-Factory's own parser reads every stage, and its loader the rows: answers alone are in the loss."""

import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import yaml

audio = ModuleType("torchaudio")  # imported for audio rows alone; its builds want another torch than the CPU's
audio.__spec__ = ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = audio
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402
from llamafactory.model import load_tokenizer  # noqa: E402

for file in sorted(Path().glob("stage-*.yaml")):
    settings = yaml.safe_load(file.read_text()) | {"use_cpu": True}
    base = yaml.safe_load(Path("stage-1.yaml").read_text())["model_name_or_path"]  # later ones are not trained yet
    model, data, training, finetuning, _ = get_train_args(settings | {"model_name_or_path": base})
    assert finetuning.disable_shuffling
    assert not data.packing
    module = load_tokenizer(model)
    template = get_template_and_fix_tokenizer(module["tokenizer"], data)
    rows = get_dataset(template, model, data, training, stage="sft", **module)["train_dataset"]
    assert len(rows) == len(Path(file.stem + ".jsonl").read_text().splitlines())
    first = rows[0]
    answer = module["tokenizer"].decode([label for label in first["labels"] if label != -100])
    whole = module["tokenizer"].decode(first["input_ids"])
    assert 0 < len(answer) < len(whole)
print(
    f"llamafactory {version('llamafactory')}: every stage is read; supervised of the first row: {answer!r} in {whole!r}"
)
