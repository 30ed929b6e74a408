"""Carry out a recipe with TRL's SFTTrainer and write the checkpoint with its ``training.json``.

Everything is saved as it is done, in ``CKPT.partial`` beside the checkpoint: what the base model answered, the weights
after every phase, and the trainer's own checkpoints in between. After a kill, the same call goes on from there.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ilp_bench import __version__
from ilp_bench.core.distributed import join_processes
from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import new_folder, require_new
from ilp_bench.core.logs import quiet
from ilp_bench.core.memory import is_out_of_memory
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.similarity import sentence_similarity, word_similarity
from ilp_bench.models.devices import pick_device, pick_training_dtype
from ilp_bench.models.loading import load_model
from ilp_bench.models.quantization import quantization_of
from ilp_bench.models.resolve import locate, weights_sha256
from ilp_bench.models.tokenization import ended
from ilp_bench.recipes import RECIPES
from ilp_bench.recipes.context import RecipeContext
from ilp_bench.recipes.phase import Progress
from ilp_bench.records.training_record import BaseWeights, PhaseRecord, TrainingData, TrainingRecord
from ilp_bench.training.adapter import add_adapter
from ilp_bench.training.budget import NAMES, budget_of, goals, spent_budget
from ilp_bench.training.learning_rate import default_rate
from ilp_bench.training.phase_runner import run_phase
from ilp_bench.training.replay_corpus import held_out_facts, known_fact_texts, replay_texts
from ilp_bench.training.saved_answers import greedy_answers
from ilp_bench.training.trainer import Setting
from ilp_bench.training.training_log import Log, calibration, tracker
from ilp_bench.training.training_state import TrainingState

SEEDS = 2**32 // 1000 - 1  # each phase has a seed of its own, and numpy takes 32 bits


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
    budget: int = 1,
    reference: Path | None = None,
    chat: bool = False,
    general: str | None = None,
    encoder: str | None = None,
    track: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    remote_code: bool = False,
    progress: Progress | None = None,
) -> TrainingRecord:
    """Fine-tune ``base`` with a recipe and write the checkpoint; returns its training record (``training.json``).

    rate       learning rate; by default 2e-4 below ten million parameters, 5e-5 below a billion, 2e-5 above, and ten
               times as much with an adapter
    lora       rank of a LoRA adapter on all linear layers; 0 trains all weights. A base that is an adapter itself is
               merged first, and the checkpoint then holds whole weights
    budget     1, 2 or 3: the division, in which a training spends so many times what vanilla needed to be calibrated
    reference  checkpoint or run of vanilla at 1x on the same base model and dataset, or a reference, whose budget is
               taken; by default the committed reference. Vanilla at 1x without it is calibrated
    chat       whether rows are trained under the model's chat template, and not as bare text
    general    replay corpus for continued pre-training, a file or Hub dataset (see :func:`replay_texts`); by default
               texts of known facts
    encoder    a sentence-transformers model that finds near-duplicate questions; by default TF-IDF does
    track      a trackio project to which every check is logged as well
    dtype      ``float32``, ``bfloat16`` (autocast over weights of float32) or ``auto``: bfloat16 on a GPU that computes
               in it, else float32

    The same seed on the same machine gives the same weights. Raises UsageError or ProblemError; what was done so far
    is kept, and the same call goes on.
    """
    recipe = RECIPES.get(recipe_name)
    _check_arguments(recipe_name, data, out, seed=seed, rate=rate, device=device, chat=chat)
    texts, near = replay_texts(general), sentence_similarity(encoder) if encoder else word_similarity
    located = locate(base)
    if quantization := quantization_of(located.root.folder):
        raise UsageError(
            f"{base} is quantised ({quantization}), and training needs whole weights: name the model before"
        )
    device = pick_device(device)
    dtype = pick_training_dtype(dtype, device)
    base_sha256, prompt_format = weights_sha256(located), "chat" if chat else "plain"
    tokens = budget_of(data, base_sha256, recipe_name, budget, reference, prompt_format)
    about: dict[str, Any] = {"base": base_sha256, "recipe": recipe_name, "data": data.sha256, "seed": seed}
    about |= {
        "rate": rate,
        "batch_size": batch_size,
        "lora": lora,
        "budget": {str(stage): count for stage, count in tokens.items()} if tokens else NAMES[budget],
        "dtype": dtype,
        "general": general or "",
        "encoder": encoder or "",
        "version": __version__,
    }
    if chat:
        about["prompt_format"] = prompt_format
    processes = join_processes(device)
    device = processes.device(device)
    with TrainingState(out, about, processes) as state:
        model, tokenizer = load_model(located, device=device, remote_code=remote_code)
        if chat and not tokenizer.chat_template:
            raise UsageError(f"{base} has no chat template: train it without, or add one to its tokenizer")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        rate = default_rate(located, lora=bool(lora)) if rate is None else rate
        rng = random.Random(f"{recipe_name}/{seed}")

        ask = greedy_answers(model, tokenizer, state.folder, processes, progress)
        if data.is_user_data:
            data = with_ends(data, tokenizer)
        context = RecipeContext(data, rng, texts or known_fact_texts(rng, held_out_facts(data)), ask, near)
        log = Log(state.folder / "log.jsonl", data, tracker(track, out.name, about) if processes.is_main else None)
        with _clear_memory_error():
            phases = recipe.phases(context)
            wanted = goals(phases, data, tokens)

            def load_last() -> Any:
                """The model as it is after the last finished phase."""
                base_model, _ = load_model(located, device=device, remote_code=remote_code)
                return state.restore(add_adapter(base_model, located, lora, seed))

            model = load_last() if state.done else add_adapter(model, located, lora, seed)
            for number, phase in enumerate(phases):
                if number < len(state.done):
                    continue
                setting = Setting(rate, batch_size, device, seed * 1000 + number, processes, dtype, chat)
                scratch, goal = state.trainer(number), wanted[number]
                record, weights = run_phase(model, tokenizer, phase, setting, scratch, log, progress, goal)
                if weights is None:
                    state.finish(model, record)
                else:  # the model is sharded over processes
                    model = load_last()
                    if processes.is_main:
                        model.load_state_dict(weights)
                    state.finish(model, record)
                    model = load_last()
        training = TrainingRecord(
            ilp_bench=__version__,
            recipe=recipe_name,
            base=BaseWeights(name=located.name, revision=located.revision, weights_sha256=base_sha256),
            data=TrainingData(**data.manifest.identity),
            seed=seed,
            learning_rate=rate,
            batch_size=batch_size,
            lora=lora,
            dtype=dtype,
            prompt_format=prompt_format,
            general=general,
            encoder=encoder,
            found=context.notes,
            phases=state.done,
            budget=None if data.is_user_data else spent_budget(phases, state.done, budget, tokens),
            calibration=None if data.is_user_data else calibration(phases, log),
            tokens=_tokens(state.done),
            steps=sum(phase.steps for phase in state.done),
            seconds=round(sum(phase.seconds for phase in state.done), 2),
            processes=processes.world_size,
            resumed=state.resumed,
        )
        if lora and located.base:  # an adapter on top of another one would lose that
            model = model.merge_and_unload()
        if processes.is_main:
            title = f"{located.name}, {recipe_name}"
            _publish(out, state.folder, model, tokenizer, log, title, training)
        state.remove()
    return training


def with_ends(data: Dataset, tokenizer: Any) -> Dataset:
    """User data whose completions have the end with which they are trained and measured."""
    ends = [ended(tokenizer, text, plain=False) for text in data.train["completion"].to_pylist()]
    column = data.train.schema.get_field_index("completion")
    return replace(data, train=data.train.set_column(column, "completion", pa.array(ends)))


def _check_arguments(
    recipe_name: str, data: Dataset, out: Path, *, seed: int, rate: float | None, device: str, chat: bool
) -> None:
    """Raise UsageError for a call that cannot be carried out."""
    if data.is_user_data and recipe_name != "auto":
        raise UsageError(
            f"recipe {recipe_name!r} needs what only the benchmark's data have: on user data train with 'auto', or in "
            "your own trainer with the rows that 'ilp-bench diagnose' repaired"
        )
    if data.is_user_data and data.manifest.chat:
        raise UsageError("user data of chats are not trained on here: train with your own trainer")
    if data.is_user_data and chat:
        raise UsageError("these rows are bare prompts, not conversations: train without the chat template")
    require_new(out)
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"a learning rate is above 0 and finite, not {rate}")
    if not 0 <= seed <= SEEDS:
        raise UsageError(f"a seed of a training is between 0 and {SEEDS}, not {seed}")
    if device.startswith("cuda:") and device != "cuda:0":
        wanted = device.removeprefix("cuda:")
        raise UsageError(
            f"training takes the first GPU that it sees: set CUDA_VISIBLE_DEVICES={wanted} and the device to cuda"
        )


def _tokens(phases: Sequence[PhaseRecord]) -> dict[str, int]:
    """Tokens trained on: of supervised rows the first time in an epoch and again, and of continued pre-training."""
    total = {kind: sum(phase.tokens for phase in phases if phase.kind == kind) for kind in ("sft", "cpt")}
    replayed = sum(phase.replayed for phase in phases)
    return {"sft": total["sft"] - replayed, "replayed": replayed, "cpt": total["cpt"]}


def _publish(
    out: Path, state: Path, model: Any, tokenizer: Any, log: Log, title: str, training: TrainingRecord
) -> None:
    with new_folder(out, within=state) as folder, quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        shutil.copyfile(log.file, folder / "log.jsonl")
        (folder / "training.svg").write_text(log.plot(title), encoding="utf-8")
        (folder / "training.json").write_text(json.dumps(training.model_dump(), indent=1) + "\n")


@contextmanager
def _clear_memory_error() -> Iterator[None]:
    """Turn a failure for lack of memory into one line with the remedy."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise ProblemError(
            "the model does not fit into memory: use a smaller batch size, or a LoRA adapter of rank 16; the "
            "same call goes on where this one stopped"
        ) from error
