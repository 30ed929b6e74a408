"""Models: train them and measure them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilp_bench.api.arguments import Location, Progress, as_dataset
from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Run, read_run

if TYPE_CHECKING:
    from ilp_bench.recipes.phase import Progress as TrainingProgress
    from ilp_bench.records.training_record import TrainingRecord


def train(
    base: str,
    recipe: str,
    data: Dataset | Location,
    out: Location,
    *,
    seed: int = 0,
    learning_rate: float | None = None,
    batch_size: int = 16,
    lora: int = 0,
    budget: int = 1,
    reference: Location | None = None,
    chat: bool = False,
    replay_corpus: str | None = None,
    encoder: str | None = None,
    track: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    remote_code: bool = False,
    progress: TrainingProgress | None = None,
) -> TrainingRecord:
    """Fine-tune a base model with a recipe, write the checkpoint to ``out`` and return its training record.

        >>> ilp_bench.train("nano", "vanilla", "DATA", "checkpoints/vanilla")
        >>> ilp_bench.train("nano", "combined", "DATA", "checkpoints/combined", reference="checkpoints/vanilla")

    base            ``nano`` (or another built-in model), a model folder, a PEFT adapter or a Hub id as ``org/name``
    recipe          name of a recipe, such as ``vanilla``; docs/recipes.md lists them
    data            a dataset or its folder
    seed            same seed, same machine: same weights
    learning_rate   above 0; by default 2e-4 below ten million parameters, 5e-5 below a billion, 2e-5 above, and ten
                    times as much with an adapter
    batch_size      examples a step
    lora            rank of a LoRA adapter on all linear layers; 0 trains all weights
    budget          1, 2 or 3: spend so many times the supervised tokens that vanilla needed
    reference       checkpoint or run of vanilla with budget 1 on the same base model and dataset, or a reference, whose
                    budget is taken; by default the committed reference. Without it, vanilla with budget 1 finds it
    chat            train under the model's chat template; evaluate with it too
    replay_corpus   texts for continued pre-training: a .txt, .jsonl or .parquet file or a Hub dataset; by default
                    texts of known facts
    encoder         sentence-transformers model that finds similar questions; by default TF-IDF does
    track           trackio project to which every check is logged
    dtype           ``float32``, ``bfloat16`` (autocast over weights of float32) or ``auto``: bfloat16 on a GPU that
                    computes in it, else float32
    device          ``cpu``, ``cuda``, ``mps`` or ``auto``
    remote_code     run Python code that comes with the model
    progress        called with phase, epoch, mean p of the calibration items (or None) and (tokens done, tokens)

    Needs the ``train`` extra. What is done is kept beside ``out``: the same call goes on after a kill. Raises
    UsageError for an unknown recipe, an impossible value or a reference of something else, ProblemError where training
    does not converge or does not fit into memory.
    """
    from ilp_bench.training.run import train as run_training

    return run_training(
        base,
        recipe,
        as_dataset(data),
        Path(out),
        seed=seed,
        rate=learning_rate,
        batch_size=batch_size,
        lora=lora,
        budget=budget,
        reference=None if reference is None else Path(reference),
        chat=chat,
        general=replay_corpus,
        encoder=encoder,
        track=track,
        dtype=dtype,
        device=device,
        remote_code=remote_code,
        progress=progress,
    )


def evaluate(
    model: str,
    data: Dataset | Location,
    out: Location,
    *,
    base: str | None = None,
    backend: str = "hf",
    protocol: str = "exact",
    draws: int = 100,
    seed: int = 0,
    choices: int = 0,
    probe_base: bool | None = None,
    chat: bool = False,
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
    remote_code: bool = False,
    strict: bool = False,
    engine: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Run | None:
    """Measure a saved model on every probe of a dataset, write a run record to ``out`` and return it.

        >>> run = ilp_bench.evaluate("checkpoints/vanilla", "DATA", "runs/vanilla")
        >>> run.samples["p"]

    model        ``nano`` (or another built-in model), a model folder, a PEFT adapter or a Hub id as ``org/name``
    data         a dataset or its folder
    out          run folder to write: ``run.json`` and ``samples.parquet``, a row a probe, ``p`` in [0, 1]
    base         the base model of an adapter, where its own path is one of another machine
    backend      ``hf`` or ``vllm``
    protocol     ``exact``: p from one scoring pass; ``sampled``: the share of ``draws`` sampled answers that are right
    seed         of the sampled protocol
    choices      0, 4 or 10: also score so many options of recall and retention probes
    probe_base   also ask with few-shot exemplars what the model knows; by default for a model without training.json
    chat         ask through the model's chat template
    dtype        ``float32``, ``bfloat16``, ``float16`` or ``auto``
    device       ``cpu``, ``cuda``, ``mps`` or ``auto``
    batch_size   sequences a batch; halved where memory does not suffice
    threads      CPU threads; by default as many as there are idle cores
    remote_code  run Python code that comes with the model
    strict       stop at an item of user data that the model cannot be asked; by default it is counted and left out
    engine       engine arguments of vLLM
    progress     called with (requests done, requests)

    What is done is kept beside ``out``: the same call goes on after a kill. Started by ``accelerate launch`` or
    ``torchrun``, processes share the work, and all but the first return None. Raises UsageError for an unknown model or
    an impossible value, ProblemError for weights that cannot be loaded or give NaN.
    """
    from ilp_bench.evaluation.run import evaluate as run_evaluation

    return run_evaluation(
        model,
        as_dataset(data),
        Path(out),
        base=base,
        backend=backend,
        protocol=protocol,
        draws=draws,
        seed=seed,
        choices=choices,
        probe_base=probe_base,
        chat=chat,
        dtype=dtype,
        device=device,
        batch_size=batch_size,
        threads=threads,
        remote_code=remote_code,
        strict=strict,
        engine=engine,
        progress=progress,
    )


def evaluate_model(
    model: Any,
    tokenizer: Any,
    data: Dataset | Location,
    *,
    out: Location | None = None,
    name: str = "model in memory",
    chat: bool = False,
    probe_base: bool = False,
    choices: int = 0,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Measure a model in memory on every probe of a dataset and return the run; it is not changed.

        >>> run = ilp_bench.evaluate_model(model, tokenizer, data)

    model        a causal language model of transformers or peft, on any device; in evaluation mode meanwhile
    tokenizer    its tokenizer
    data         a dataset or its folder
    out          run folder to write; by default nothing is written
    name         name of the model in the run record
    chat, choices, batch_size, progress   as in :func:`evaluate`
    probe_base   also ask with few-shot exemplars what the model knows, as a base run needs

    ``p`` is the same as :func:`evaluate` gives for the saved model in the same precision. The run names no training,
    and its ``weights_sha256`` is over the tensors, not over files; so where a checkpoint's training record names its
    base model, measure that base model with :func:`evaluate`. Raises as :func:`evaluate` does.
    """
    from ilp_bench.evaluation.in_memory import evaluate_model as measure

    folder = None if out is None else Path(out)
    return measure(
        model,
        tokenizer,
        as_dataset(data),
        out=folder,
        name=name,
        chat=chat,
        probe_base=probe_base,
        choices=choices,
        batch_size=batch_size,
        progress=progress,
    )


def load_run(folder: Location) -> Run:
    """Read a run folder and check it.

        >>> ilp_bench.load_run("runs/vanilla").record.model.name

    Returns the record (``run.json``) and ``samples``, an Arrow table with a row a probe. Raises UsageError where there
    is no run, ProblemError where it is damaged.
    """
    return read_run(folder)
