"""Carry out a recipe with TRL's SFTTrainer and write the checkpoint with its ``training.json``."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ilp_bench import __version__, tokens
from ilp_bench.dataset import Dataset
from ilp_bench.errors import ProblemError, UsageError
from ilp_bench.estimate import learned
from ilp_bench.evaluate import score, wrap
from ilp_bench.evaluate.hf import load_model, pick_device, quiet
from ilp_bench.files import new_folder
from ilp_bench.models import locate, weights_sha256
from ilp_bench.train.recipes import CONVERGED, Phase, recipe

Progress = Callable[[str, int, float | None], None]
SMALL = 10_000_000  # parameters below which a larger learning rate is the default
RATE_SMALL, RATE = 5e-5, 2e-5
CPT_RATE, CPT_BATCH = 6, 4  # continued pre-training takes larger steps on larger batches of short documents


def train(
    base: str,
    recipe_name: str,
    data: Dataset,
    out: Path,
    *,
    seed: int = 0,
    rate: float | None = None,
    batch_size: int = 16,
    device: str = "auto",
    remote_code: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fine-tune ``base`` with a recipe; returns what is written to ``training.json``.

    ``rate``: learning rate, by default 5e-5 below ten million parameters and 2e-5 above. The same seed on the
    same machine gives the same weights. Raises UsageError or ProblemError with nothing written.
    """
    plan = recipe(recipe_name)
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} already exists: choose a new folder or remove it")
    try:
        import trl  # noqa: F401
    except ImportError as error:
        raise UsageError(f"training needs the train extra ({error}): pip install 'ilp-bench[train]'") from error
    located = locate(base)
    device = pick_device(device)
    start = time.monotonic()
    model, tokenizer = load_model(located, device=device, remote_code=remote_code)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if rate is None:
        rate = RATE_SMALL if sum(p.numel() for p in model.parameters()) < SMALL else RATE
    phases = []
    for number, phase in enumerate(plan(data, random.Random(f"{recipe_name}/{seed}"))):
        phases.append(_run_phase(model, tokenizer, phase, seed * 1000 + number, rate, batch_size, device, progress))
    report = {
        "ilp_bench": __version__,
        "recipe": recipe_name,
        "base": {"name": located.name, "revision": located.revision, "weights_sha256": weights_sha256(located)},
        "data": {key: data.manifest[key] for key in ("size", "seed", "version", "content_sha256")},
        "seed": seed,
        "learning_rate": rate,
        "batch_size": batch_size,
        "phases": phases,
        "tokens": {kind: sum(p["tokens"] for p in phases if p["kind"] == kind) for kind in ("sft", "cpt")},
        "seconds": round(time.monotonic() - start, 2),
    }
    with new_folder(out) as folder, quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / "training.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def _run_phase(
    model: Any,
    tokenizer: Any,
    phase: Phase,
    seed: int,
    rate: float,
    batch_size: int,
    device: str,
    progress: Progress | None,
) -> dict[str, Any]:
    from transformers import TrainerCallback

    examples = _encode(tokenizer, phase.examples)
    reference = tokens.encode(tokenizer, *zip(*phase.reference, strict=True)) if phase.reference else []
    history: list[float] = []
    start = time.monotonic()

    class Convergence(TrainerCallback):
        """After each epoch: measure the reference, report, stop once it is learned."""

        def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
            if reference:
                model.eval()
                scores = score(wrap(model, tokenizer), reference)
                model.train()
                history.append(float(learned(_probability(scores.logprob)).mean()))
                control.should_training_stop = history[-1] >= CONVERGED
            if progress:
                progress(phase.name, round(state.epoch), history[-1] if history else None)
            return control

    with tempfile.TemporaryDirectory() as scratch, quiet():
        trainer = _trainer(model, tokenizer, phase, examples, scratch, seed, rate, batch_size, device)
        trainer.add_callback(Convergence())
        result = trainer.train()
    epochs = round(trainer.state.epoch)
    if reference and history[-1] < CONVERGED:
        raise ProblemError(
            f"{phase.name} did not converge: {history[-1]:.2f} of its reference learned after {epochs} epochs, "
            f"{CONVERGED} wanted: try another --rate (this was {rate:g})"
        )
    return {
        "name": phase.name,
        "kind": phase.kind,
        "examples": len(examples),
        "epochs": epochs,
        "steps": trainer.state.global_step,
        "tokens": epochs * sum(len(row["input_ids"]) for row in examples),
        "loss": round(float(result.training_loss), 5),
        "reference_learned": [round(value, 5) for value in history],
        "seconds": round(time.monotonic() - start, 2),
    }


def _probability(logprob: Any) -> Any:
    import numpy as np

    return np.exp(np.minimum(logprob, 0.0))


def _encode(tokenizer: Any, examples: Sequence[tuple[str, str]]) -> list[dict[str, list[int]]]:
    """Token ids with labels on completions only; whole texts where the prompt is empty."""
    texts = [text for prompt, text in examples if not prompt]
    rows = [{"input_ids": ids, "labels": list(ids)} for ids in tokenizer(texts)["input_ids"]] if texts else []
    asked = [example for example in examples if example[0]]
    if asked:
        for context, answer in tokens.encode(tokenizer, *zip(*asked, strict=True)):
            rows.append({"input_ids": context + answer, "labels": [-100] * len(context) + answer})
    return rows


def _trainer(
    model: Any, tokenizer: Any, phase: Phase, examples: list[dict[str, list[int]]], scratch: str,
    seed: int, rate: float, batch_size: int, device: str,
) -> Any:  # fmt: skip
    from datasets import Dataset as HFDataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        output_dir=scratch,
        num_train_epochs=phase.epochs,
        per_device_train_batch_size=batch_size * (CPT_BATCH if phase.kind == "cpt" else 1),
        learning_rate=rate * (CPT_RATE if phase.kind == "cpt" else 1),
        lr_scheduler_type="constant_with_warmup" if phase.kind == "sft" else "cosine",
        warmup_steps=5 if phase.kind == "sft" else 20,
        weight_decay=0.0,
        train_sampling_strategy="group_by_length" if phase.kind == "cpt" else "random",
        max_length=None,
        packing=False,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        bf16=device == "cuda",
        use_cpu=device == "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device != "cpu",
        seed=seed,
        data_seed=seed,
    )
    rows = HFDataset.from_list(examples)
    trainer = SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    return trainer
