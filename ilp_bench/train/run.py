"""Carry out a recipe with TRL's SFTTrainer and write the checkpoint with its ``training.json``.

Everything is saved as it is done, in ``CKPT.partial`` beside the checkpoint: the weights after every phase, and the
trainer's own checkpoint after every epoch. After a kill, the same call goes on from there.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ilp_bench import __version__, tokens
from ilp_bench.corpus import documents
from ilp_bench.dataset import Dataset
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.estimate import learned
from ilp_bench.evaluate import score, wrap
from ilp_bench.evaluate.hf import load_model, pick_device, quiet
from ilp_bench.files import new_folder, read_json, write_text
from ilp_bench.models import Located, locate, weights_sha256
from ilp_bench.nano import NANO
from ilp_bench.train.log import Log
from ilp_bench.train.phase import CONVERGED, Answer, Bench, Epoch, Example, Phase
from ilp_bench.train.recipes import recipe

Progress = Callable[[str, int, float | None], None]
# Learning rates by number of parameters; adapters take ten times as much.
RATES = ((10_000_000, 5e-5), (1_000_000_000, 1e-4), (float("inf"), 2e-5))
CPT_RATE, CPT_BATCH = 6, 4  # continued pre-training takes larger steps on larger batches of short documents
LORA_RATE, ANSWER_TOKENS = 10, 8


def train(
    base: str,
    recipe_name: str,
    data: Dataset,
    out: Path,
    *,
    seed: int = 0,
    rate: float | None = None,
    batch_size: int = 16,
    lora: int = 0,
    general: Path | None = None,
    device: str = "auto",
    remote_code: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fine-tune ``base`` with a recipe; returns what is written to ``training.json``.

    rate       learning rate; by default 5e-5 below ten million parameters, 1e-4 below a billion, 2e-5 above, and ten
               times as much with an adapter
    lora       rank of a LoRA adapter on all linear layers; 0 trains all weights
    general    a text file for continued pre-training, one text a line; by default texts of known facts

    The same seed on the same machine gives the same weights. Raises UsageError or ProblemError; what was done so far
    is kept, and the same call goes on.
    """
    plan = recipe(recipe_name)
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} already exists: choose a new folder or remove it")
    try:
        import trl  # noqa: F401
    except ImportError as error:
        raise UsageError(f"training needs the train extra ({error}): pip install 'ilp-bench[train]'") from error
    texts = _general_texts(general)
    located = locate(base)
    device = pick_device(device)
    about = {"base": weights_sha256(located), "recipe": recipe_name, "data": data.sha256, "seed": seed}
    about |= {
        "rate": rate,
        "batch_size": batch_size,
        "lora": lora,
        "general": str(general or ""),
        "version": __version__,
    }
    with _Workshop(out, about) as shop:
        model, tokenizer = load_model(located, device=device, remote_code=remote_code)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if rate is None:
            size = sum(p.numel() for p in model.parameters())
            rate = next(value for limit, value in RATES if size < limit) * (LORA_RATE if lora else 1)
        rng = random.Random(f"{recipe_name}/{seed}")
        bench = Bench(data, rng, texts or _known_texts(rng), lambda prompts: _answers(model, tokenizer, prompts))
        log = Log(shop.folder / "log.jsonl", data)
        with _memory():
            phases = plan.phases(bench)
            model = shop.restore(_adapted(model, located, lora, seed))
            for number, phase in enumerate(phases):
                if number < len(shop.done):
                    continue
                setting = _Setting(rate, batch_size, device, seed * 1000 + number)
                shop.finish(model, _run_phase(model, tokenizer, phase, setting, shop.trainer(number), log, progress))
        report = {
            "ilp_bench": __version__,
            "recipe": recipe_name,
            "base": {"name": located.name, "revision": located.revision, "weights_sha256": weights_sha256(located)},
            "data": {key: data.manifest[key] for key in ("size", "seed", "version", "content_sha256")},
            "seed": seed,
            "learning_rate": rate,
            "batch_size": batch_size,
            "lora": lora,
            "found": bench.notes,
            "phases": shop.done,
            "tokens": {kind: sum(p["tokens"] for p in shop.done if p["kind"] == kind) for kind in ("sft", "cpt")},
            "steps": sum(phase["steps"] for phase in shop.done),
            "seconds": round(sum(phase["seconds"] for phase in shop.done), 2),
            "resumed": shop.resumed,
        }
        with new_folder(out) as folder, quiet():
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            shutil.copyfile(log.file, folder / "log.jsonl")
            (folder / "training.svg").write_text(log.plot(f"{located.name}, {recipe_name}"), encoding="utf-8")
            (folder / "training.json").write_text(json.dumps(report, indent=1) + "\n")
        shop.remove()
    return report


class _memory:  # noqa: N801
    """Out of memory is one clear line."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, RuntimeError) and "memory" in str(error).lower():
            raise ProblemError(
                "the model does not fit into memory: use a smaller --batch-size, or --lora 16; the same call goes on "
                "where this one stopped"
            ) from error


class _Workshop:
    """The folder beside a checkpoint in which it is made; one call at a time."""

    def __init__(self, out: Path, about: dict[str, Any]) -> None:
        self.folder = out.with_name(f"{out.name}.partial")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._out, self._about, self._lock = out, about, FileLock(self.folder / "lock")
        self.done: list[dict[str, Any]] = []

    def __enter__(self) -> _Workshop:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"another training is writing to {self._out}: wait for it, or choose another folder"
            ) from None
        file = self.folder / "plan.json"
        self.resumed = file.is_file()
        if self.resumed:
            found = read_json(file)
            other = [
                key for key in {**self._about, **found["about"]} if found["about"].get(key) != self._about.get(key)
            ]
            if other:
                self._lock.release()
                what = " and ".join(sorted(other)).replace("_", " ")
                raise UsageError(
                    f"{self.folder} holds an unfinished training with another {what}: finish it, remove it, or choose "
                    "another folder"
                )
            self.done = found["done"]
        else:
            write_text(file, json.dumps({"about": self._about, "done": []}, indent=1) + "\n")
        return self

    def __exit__(self, *_: Any) -> None:
        self._lock.release()

    def trainer(self, number: int) -> Path:
        """Where the trainer of that phase keeps its checkpoints."""
        return self.folder / f"trainer-{number}"

    def restore(self, model: Any) -> Any:
        """The weights after the last finished phase."""
        if self.done:
            from safetensors.torch import load_model as load_weights

            load_weights(model, str(self.folder / f"phase-{len(self.done) - 1}.safetensors"))
        return model

    def finish(self, model: Any, report: dict[str, Any]) -> None:
        """Save the weights after a phase, then that it is done, then let go of what came before."""
        from safetensors.torch import save_model

        number = len(self.done)
        draft = self.folder / "phase.tmp"
        save_model(model, str(draft))
        draft.replace(self.folder / f"phase-{number}.safetensors")
        self.done.append(report)
        write_text(self.folder / "plan.json", json.dumps({"about": self._about, "done": self.done}, indent=1) + "\n")
        shutil.rmtree(self.trainer(number), ignore_errors=True)
        (self.folder / f"phase-{number - 1}.safetensors").unlink(missing_ok=True)

    def remove(self) -> None:
        """Clear away, once the checkpoint stands."""
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def _general_texts(general: Path | None) -> Callable[[int], list[str]] | None:
    if general is None:
        return None
    try:
        lines = [line for line in general.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--general {general} cannot be read as text: {error}") from error
    if not lines:
        raise UsageError(f"--general {general} holds no text: give one text a line")

    def some(characters: int) -> list[str]:
        found: list[str] = []
        while characters > 0:
            for line in lines:
                if characters > 0:
                    found.append(line)
                    characters -= len(line)
        return found

    return some


def _known_texts(rng: random.Random) -> Callable[[int], list[str]]:
    """Texts of known facts, in random order, again and again until there are enough characters."""

    def some(characters: int) -> list[str]:
        found: list[str] = []
        while characters > 0:
            texts = list(documents(rng))
            rng.shuffle(texts)
            for text in texts:
                if characters > 0:
                    found.append(text)
                    characters -= len(text)
        return found

    return some


def _adapted(model: Any, located: Located, rank: int, seed: int) -> Any:
    """The model itself, or with a fresh adapter on all linear layers."""
    if not rank:
        return model
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    root = located.root
    name = root.name if root.name in NANO or root.revision else str(root.folder.resolve())
    adapted.peft_config["default"].base_model_name_or_path = name
    return adapted


def _answers(model: Any, tokenizer: Any, prompts: Sequence[str], batch: int = 32) -> list[Answer]:
    """Greedy answers up to a line's end, with the probability of each as a whole."""
    import torch

    ids = tokenizer(list(prompts))["input_ids"]
    order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
    found: dict[int, Answer] = {}
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        width = max(len(ids[n]) for n in part)
        pad = tokenizer.pad_token_id or 0
        rows = torch.tensor([[pad] * (width - len(ids[n])) + ids[n] for n in part], device=model.device)
        mask = torch.tensor([[0] * (width - len(ids[n])) + [1] * len(ids[n]) for n in part], device=model.device)
        with torch.no_grad():
            done = model.generate(
                rows, attention_mask=mask, do_sample=False, max_new_tokens=ANSWER_TOKENS, pad_token_id=pad,
                output_logits=True, return_dict_in_generate=True, temperature=None, top_p=None, top_k=None,
            )  # fmt: skip
        drawn = done.sequences[:, width:]
        chances = torch.stack([step.float().log_softmax(-1).max(-1).values for step in done.logits], dim=1)
        for n, row, chance in zip(part, drawn.tolist(), chances.tolist(), strict=True):
            text, total = "", 0.0
            for token, value in zip(row, chance, strict=False):
                text, total = text + tokenizer.decode([token]), total + value
                if "\n" in text:
                    break
            found[n] = Answer(text.split("\n")[0], float(torch.tensor(total).exp()))
    return [found[n] for n in range(len(ids))]


@dataclass(frozen=True)
class _Setting:
    rate: float
    batch_size: int
    device: str
    seed: int


@dataclass
class _EpochBatches:
    """A batch sampler that gives the same batches for the same seed and epoch, also after a restart."""

    count: int
    size: int
    seed: int
    make: Callable[[int, random.Random], Iterator[list[int]]] | None
    epoch: int = 0
    _made: tuple[int, list[list[int]]] = field(default=(-1, []))

    def _now(self) -> list[list[int]]:
        if self._made[0] != self.epoch:
            rng = random.Random(f"{self.seed}/{self.epoch}")
            order = rng.sample(range(self.count), self.count)
            plain = [order[n : n + self.size] for n in range(0, self.count, self.size)]
            self._made = self.epoch, list(self.make(self.size, rng)) if self.make else plain
        return self._made[1]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def _run_phase(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    setting: _Setting,
    scratch: Path,
    log: Log,
    progress: Progress | None,
) -> dict[str, Any]:
    from transformers import TrainerCallback
    from transformers.trainer_utils import get_last_checkpoint

    examples = _encode(tokenizer, phase.examples)
    lengths = [len(row["input_ids"]) for row in examples]
    reference = _pairs(tokenizer, phase.reference)
    probes = _pairs(tokenizer, log.probes)
    make = phase.batches
    batches = _EpochBatches(len(examples), setting.batch_size, setting.seed, make) if phase.kind == "sft" else None
    scratch.mkdir(exist_ok=True)
    start = time.monotonic()
    saved = get_last_checkpoint(str(scratch)) if batches and not phase.watch else None  # type: ignore[no-untyped-call]
    notes = scratch / "history.json"
    epochs_saved = round(read_json(Path(saved) / "trainer_state.json")["epoch"]) if saved else 0
    kept = read_json(notes)["epochs"][:epochs_saved] if saved else []
    history = [Epoch(row["learned"], row["loss"]) for row in kept]
    rows: list[dict[str, Any]] = list(kept)

    def measured(pairs: list[tuple[list[int], list[int]]]) -> Any:
        model.eval()
        found = score(wrap(model, tokenizer), pairs)
        model.train()
        return found

    def rates(wanted: Sequence[Example]) -> Any:
        import numpy as np

        return learned(np.exp(np.minimum(measured(_pairs(tokenizer, wanted)).logprob, 0.0)))

    class Between(TrainerCallback):
        """After each epoch: measure, save, report, stop where the phase says so; between steps: watch."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if batches:
                batches.epoch = round(state.epoch or 0)
            self.started = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if phase.watch and state.global_step % phase.every == 0:
                phase.watch(rates)
            return control

        def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            import numpy as np

            seen = [n for batch in batches for n in batch] if batches else range(len(examples))
            row: dict[str, Any] = {"learned": None, "loss": None, "tokens": sum(lengths[n] for n in seen)}
            if reference:
                found = measured(reference)
                chance = learned(np.exp(np.minimum(found.logprob, 0.0)))
                history.append(Epoch(float(chance.mean()), float(-found.logprob.sum() / found.tokens.sum())))
                row |= {"learned": history[-1].learned, "loss": history[-1].loss}
                control.should_training_stop = phase.stop(history)
            row["seconds"] = round(time.monotonic() - self.started, 2)
            rows.append(row)
            write_text(notes, json.dumps({"epochs": rows}) + "\n")
            log.add(phase.name, len(rows), row, measured(probes).logprob if phase.kind == "sft" else None)
            if progress:
                progress(phase.name, round(state.epoch), row["learned"])
            return control

    with quiet():
        trainer = _trainer(model, tokenizer, phase, examples, scratch, setting, batches)
        trainer.add_callback(Between())
        result = trainer.train(resume_from_checkpoint=saved)
    if reference and phase.epochs <= len(history) and not phase.stop(history):
        raise ProblemError(
            f"{phase.name} did not converge: {history[-1].learned:.2f} of its reference learned after {len(history)} "
            f"epochs, {CONVERGED} wanted: try another --rate (this was {setting.rate:g})"
        )
    return {
        "name": phase.name,
        "kind": phase.kind,
        "examples": len(examples),
        "epochs": len(rows),
        "steps": trainer.state.global_step,
        "tokens": sum(row["tokens"] for row in rows),
        "loss": round(float(result.training_loss), 5),
        "reference_learned": [round(epoch.learned, 5) for epoch in history],
        "reference_loss": [round(epoch.loss, 5) for epoch in history],
        "seconds": round(max(sum(row["seconds"] for row in rows), time.monotonic() - start), 2),
    }


def _pairs(tokenizer: Any, examples: Sequence[Example]) -> list[tuple[list[int], list[int]]]:
    return tokens.encode(tokenizer, *zip(*examples, strict=True)) if examples else []


def _encode(tokenizer: Any, examples: Sequence[Example]) -> list[dict[str, list[int]]]:
    """Token ids with labels on completions only; whole texts where the prompt is empty."""
    texts = [text for prompt, text in examples if not prompt]
    rows = [{"input_ids": ids, "labels": list(ids)} for ids in tokenizer(texts)["input_ids"]] if texts else []
    asked = [example for example in examples if example[0]]
    for context, answer in _pairs(tokenizer, asked):
        rows.append({"input_ids": context + answer, "labels": [-100] * len(context) + answer})
    return rows


def _trainer(
    model: Any, tokenizer: Any, phase: Phase, examples: list[dict[str, list[int]]], scratch: Path, setting: _Setting,
    batches: _EpochBatches | None,
) -> Any:  # fmt: skip
    from datasets import Dataset as HFDataset
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc]
        """SFTTrainer with batches that a recipe decides."""

        def get_train_dataloader(self) -> Any:
            if batches is None:
                return super().get_train_dataloader()
            loader: Any = DataLoader(self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator)
            return self.accelerator.prepare(loader)

    config = SFTConfig(
        output_dir=str(scratch),
        num_train_epochs=phase.epochs,
        per_device_train_batch_size=setting.batch_size * (CPT_BATCH if phase.kind == "cpt" else 1),
        learning_rate=setting.rate * (CPT_RATE if phase.kind == "cpt" else 1),
        lr_scheduler_type="constant_with_warmup" if phase.kind == "sft" else "cosine",
        warmup_steps=5 if phase.kind == "sft" else 20,
        weight_decay=0.0,
        train_sampling_strategy="group_by_length" if phase.kind == "cpt" else "random",
        max_length=None,
        packing=False,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        bf16=setting.device.startswith("cuda"),
        use_cpu=setting.device == "cpu",
        save_strategy="epoch" if batches and not phase.watch else "no",
        save_total_limit=1,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=setting.device != "cpu",
        seed=setting.seed,
        data_seed=setting.seed,
    )
    rows = HFDataset.from_list(examples)
    trainer = Trainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    return trainer
