"""The public Python interface: the verbs of the command line, as functions.

    >>> import ilp_bench
    >>> data = ilp_bench.build("mini", seed=0, out="DATA")
    >>> base = ilp_bench.evaluate("nano", data, "runs/base")
    >>> ilp_bench.train("nano", "vanilla", data, "checkpoints/vanilla")
    >>> vanilla = ilp_bench.evaluate("checkpoints/vanilla", data, "runs/vanilla")

Paths may be strings. torch, transformers and lm-eval are imported by the functions that need them, when they are
called. Every error is an :class:`~ilp_bench.core.errors.IlpBenchError` of one line: ``UsageError`` where the call
cannot be carried out as given, ``ProblemError`` where a file is damaged or a check fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make, make_from, write
from ilp_bench.data.dataset import load as read_dataset
from ilp_bench.data.settings import FREQUENCIES, HOPS, SHARES, STAGES, Settings
from ilp_bench.records.run_record import Run, read_run

if TYPE_CHECKING:
    from datasets import DatasetDict

    from ilp_bench.diagnosis.attribution import Diagnosis
    from ilp_bench.recipes.phase import Progress as TrainingProgress
    from ilp_bench.records.training_record import TrainingRecord
    from ilp_bench.scoring.recovery import Scores
    from ilp_bench.submission.format import Meta

Location = str | Path
RunLike = Run | str | Path  # a run in memory, or its folder
Progress = Callable[[int, int], None]  # requests done, requests in all


def build(
    size: str = "core",
    seed: int = 0,
    *,
    out: Location | None = None,
    pairs: int | None = None,
    causes: Sequence[str] = (),
    shares: Sequence[float] = SHARES,
    stages: int = STAGES,
    frequencies: Sequence[int] = FREQUENCIES,
    hops: Sequence[int] = HOPS,
    domain: str | None = None,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Dataset:
    """Build the controlled dataset and return it; with ``out``, also write it as a dataset folder.

        >>> ilp_bench.build("mini", seed=3)
        >>> ilp_bench.build("core", causes=["data_inconsistency"], shares=[0.3], domain="medicine", out="DATA")

    size          ``mini``, ``core`` or ``full``: 60, 300 or 2000 pairs a cause
    seed          0 or more; size, seed and the arguments below decide every row
    out           dataset folder to write; one that already holds the same dataset is left as it is
    pairs         pairs a cause, instead of the size's
    causes        names of the causes to build; empty means all
    shares        shares of contradicting rows, each in (0, 1)
    stages        stages of training, 2 to 100
    frequencies   rows of a rare pattern, each 1 to 15, in turn
    hops          steps to a missing answer: 1, 2 or both
    domain        ``geography``, ``medicine``, ``law``, ``finance`` or ``technology``; by default all
    workers       processes that write a set of more than 5000 pairs a cause; the bytes do not depend on it
    progress      called with the share that is done, in [0, 1], while such a large set is written

    Raises UsageError for an impossible value, for more pairs than there are facts, or when ``out`` holds something
    else.
    """
    settings = Settings(
        size,
        seed,
        pairs=pairs,
        causes=tuple(causes),
        shares=tuple(shares),
        stages=stages,
        frequencies=tuple(frequencies),
        hops=tuple(hops),
        domain=domain,
    )
    from ilp_bench.data.sharding import LARGE
    from ilp_bench.data.sharding import build as stream

    if out is not None and settings.count > LARGE:
        return read_dataset(stream(settings, Path(out), workers=workers, progress=progress))
    dataset = make_from(settings)
    if out is not None:
        write(dataset, Path(out))
    return dataset


def load_dataset(folder: Location) -> Dataset:
    """Read a dataset folder and check it against its manifest.

        >>> data = ilp_bench.load_dataset("DATA")
        >>> data.train.num_rows, data.items.column_names

    Returns the four Arrow tables ``train`` (a row is a training example, in training order), ``items`` (a row is a
    probe), ``knowledge`` and ``shots`` (few-shot exemplars), with the manifest. Raises UsageError where there is no
    dataset, ProblemError where a file is missing, changed or unreadable.
    """
    return read_dataset(folder)


def load(cause: str | None = None, *, size: str = "core", seed: int = 0, **knobs: Any) -> DatasetDict:
    """Build the controlled dataset as a ``datasets.DatasetDict`` of ``train``, ``items`` and ``knowledge``.

        >>> ilp_bench.load("rare_patterns", size="mini", seed=3)["items"]
        >>> ilp_bench.load("data_inconsistency", size="mini", shares=(0.3,), domain="medicine")

    cause   the cause whose rows are kept; by default all
    knobs   arguments of :func:`build`: ``pairs``, ``causes``, ``shares``, ``stages``, ``frequencies``, ``hops``,
            ``domain``; with any of them, the named cause is built alone

    In memory, without a network. Raises UsageError for an unknown cause, size or knob, an impossible value, or more
    pairs than there are facts.
    """
    from datasets import Dataset as HubDataset
    from datasets import DatasetDict

    if cause is not None:
        CAUSES.get(cause)
    if unknown := set(knobs) - {field.name for field in fields(Settings)}:
        raise UsageError(f"unknown knob {min(unknown)!r}.{near(min(unknown), [f.name for f in fields(Settings)])}")
    if knobs and cause:
        knobs["causes"] = (cause,)
    dataset = make(size, seed, **{name: tuple(v) if isinstance(v, list) else v for name, v in knobs.items()})
    tables = {name: getattr(dataset, name) for name in ("train", "items", "knowledge")}
    if cause:
        import pyarrow.compute as pc

        tables = {name: table.filter(pc.equal(table["cause"], cause)) for name, table in tables.items()}
    return DatasetDict({name: HubDataset(table) for name, table in tables.items()})


def import_rows(
    rows: Location,
    *,
    out: Location | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    stages: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    last_turn: bool = False,
    fold_system: bool = False,
    alpaca_join: str = "newline",
    strict: bool = False,
    subset: str | None = None,
    split: str | None = None,
) -> Dataset:
    """Make a dataset of your own training rows, for :func:`evaluate` and :func:`diagnose`.

        >>> data = ilp_bench.import_rows("rows.jsonl", out="DATA")

    rows         file (``.jsonl``, ``.json``, ``.csv``, ``.parquet``, ``.arrow``, also ``.gz``), folder or Hub dataset
                 (``org/name``), a row a training example, in training order
    out          dataset folder to write; by default nothing is written
    format       ``prompt-completion``, ``messages``, ``alpaca`` or ``sharegpt``; by default the columns tell
    columns      the format's name of a column and the file's, such as ``{"prompt": "question"}``
    stages       number of consecutive parts to cut the rows into; by default a column ``stage`` says, or there is one
    sample       number of items to ask about, drawn at random from each stage, at least 1; by default all
    seed         of the random choices, 0 or more
    last_turn    ask the last answer of a conversation alone; by default each that is learned
    fold_system  put system prompts at the head of the first question, for models trained so
    alpaca_join  between instruction and input: ``newline`` as LLaMA-Factory, ``blank-line``, or ``stanford``, the
                 template of Stanford Alpaca as a bare prompt
    strict       stop at the first row that cannot be used; by default such rows are left out and counted
    subset       of a folder or a Hub dataset
    split        of a folder or a Hub dataset; by default ``train``

    What is not used or left out is in ``manifest.ignored`` and ``manifest.skipped``. The dataset has no causes and no
    arms, so it cannot be scored. Raises UsageError where nothing can be read or the columns fit no format, ProblemError
    where too few rows are left.
    """
    from ilp_bench.data.user_data import import_rows as read_rows

    dataset = read_rows(
        rows,
        format=format,
        columns=columns,
        stages=stages,
        sample=sample,
        seed=seed,
        last_turn=last_turn,
        fold_system=fold_system,
        alpaca_join=alpaca_join,
        strict=strict,
        subset=subset,
        split=split,
    )
    if out is not None:
        write(dataset, Path(out))
    return dataset


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
    replay_corpus: str | None = None,
    encoder: str | None = None,
    track: str | None = None,
    device: str = "auto",
    remote_code: bool = False,
    progress: TrainingProgress | None = None,
) -> TrainingRecord:
    """Fine-tune a base model with a recipe, write the checkpoint to ``out`` and return its training record.

        >>> ilp_bench.train("nano", "vanilla", "DATA", "checkpoints/vanilla")

    base            ``nano`` (or another built-in model), a model folder, a PEFT adapter or a Hub id as ``org/name``
    recipe          name of a recipe, such as ``vanilla``; docs/recipes.md lists them
    data            a dataset or its folder
    seed            same seed, same machine: same weights
    learning_rate   above 0; by default 5e-5 below ten million parameters, 1e-4 below a billion, 2e-5 above, and ten
                    times as much with an adapter
    batch_size      examples a step
    lora            rank of a LoRA adapter on all linear layers; 0 trains all weights
    replay_corpus   texts for continued pre-training: a .txt, .jsonl or .parquet file or a Hub dataset; by default
                    texts of known facts
    encoder         sentence-transformers model that finds similar questions; by default TF-IDF does
    track           trackio project to which every epoch is logged
    device          ``cpu``, ``cuda``, ``mps`` or ``auto``
    remote_code     run Python code that comes with the model
    progress        called with phase, epoch, share learned of the reference (or None) and (steps done, steps)

    Needs the ``train`` extra. What is done is kept beside ``out``: the same call goes on after a kill. Raises
    UsageError for an unknown recipe or an impossible value, ProblemError where training does not converge or does not
    fit into memory.
    """
    from ilp_bench.training.run import train as run_training

    return run_training(
        base,
        recipe,
        _dataset(data),
        Path(out),
        seed=seed,
        rate=learning_rate,
        batch_size=batch_size,
        lora=lora,
        general=replay_corpus,
        encoder=encoder,
        track=track,
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
    engine       engine arguments of vLLM
    progress     called with (requests done, requests)

    What is done is kept beside ``out``: the same call goes on after a kill. Started by ``accelerate launch`` or
    ``torchrun``, processes share the work, and all but the first return None. Raises UsageError for an unknown model or
    an impossible value, ProblemError for weights that cannot be loaded or give NaN.
    """
    from ilp_bench.evaluation.run import evaluate as run_evaluation

    return run_evaluation(
        model,
        _dataset(data),
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
        _dataset(data),
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


def score(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike],
    base_run: RunLike | Sequence[RunLike] | None = None,
) -> Scores:
    """Return recovery per cause, with 95 % intervals, of a run against vanilla; several replicates are pooled.

        >>> ilp_bench.score("runs/mine", "runs/vanilla", "runs/base").causes[0].recovery
        >>> ilp_bench.score([mine0, mine1], [vanilla0, vanilla1], base)

    runs       a run or its folder, or a sequence with one for each replicate
    vanilla    the vanilla run on the same data and base model, one for each run in the same order
    base_run   the run of the base model, one for each dataset; limits scores to pairs whose cause can act on it

    Rates are in [0, 1]; recovery is 1 where the gap that a cause leaves under vanilla is closed, 0 where nothing is,
    and None where the cause leaves no gap. Raises UsageError for a wrong number of runs, ProblemError where the runs do
    not belong together.
    """
    from ilp_bench.scoring.recovery import score_replicates

    return score_replicates(_replicates(runs, vanilla, base_run))


def diagnose(run: RunLike, base_run: RunLike, data: Dataset | Location) -> Diagnosis:
    """Return, for every item, how far it is learned and the cause it is attributed to where it is not.

        >>> diagnosis = ilp_bench.diagnose("runs/mine", "runs/base", "DATA")
        >>> diagnosis.unlearned, diagnosis.said["signals"]

    run        the run of a fine-tuned model, or its folder
    base_run   the run of its base model, probed; best with 4 choices
    data       the dataset that the model was trained on, or its folder

    On a controlled dataset the attribution is scored against the injected causes (``quality``). Raises ProblemError
    where the runs do not belong together or lack a probe.
    """
    from ilp_bench.diagnosis.attribution import diagnose as attribute

    return attribute(_run(run), _run(base_run, "base run"), _dataset(data))


def submit(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike],
    meta: Meta | dict[str, Any] | Location,
    out: Location,
    base_run: RunLike | Sequence[RunLike] | None = None,
) -> Path:
    """Build a submission from runs below the folder of submissions ``out``, check it and return its folder.

        >>> meta = {"org": "your-lab", "model": "your-model", "division": "open"}
        >>> ilp_bench.submit("runs/mine", "runs/vanilla", meta, "submissions", "runs/base")

    runs, vanilla, base_run   as in :func:`score`
    meta                      who submits what: fields, or a JSON file with them

    Nothing is uploaded. Raises UsageError for a wrong number of runs, ProblemError for a wrong field, runs that do not
    belong together, or a rule of the closed division that is broken.
    """
    from ilp_bench.submission.format import parse_meta, read_meta
    from ilp_bench.submission.format import submit as write_submission
    from ilp_bench.submission.validate import check

    if isinstance(meta, str | Path):
        meta = read_meta(Path(meta))
    elif isinstance(meta, dict):
        meta = parse_meta(meta)
    folder = write_submission(_replicates(runs, vanilla, base_run), meta, Path(out))
    if problems := check(folder).problems:
        raise ProblemError("; ".join(problems))
    return folder


def validate(*paths: Location) -> list[str]:
    """Recompute every score of submissions from their samples and return all problems; an empty list means none.

        >>> ilp_bench.validate("submissions")

    paths   submission folders, or folders that hold them

    Raises UsageError for a path that does not exist or holds no submission.
    """
    from ilp_bench.submission.check_folder import check_all

    return check_all([Path(path) for path in paths]).problems


def render(submissions: Location, out: Location, *, url: str = "", workers: int | None = None) -> int:
    """Render the static leaderboard of a folder of submissions and return the number of entries.

        >>> ilp_bench.render("submissions", "site")

    out       folder of the site; an older site there is replaced once the new one is whole
    url       where the site will stand, for its feed and link previews
    workers   processes; by default one a CPU core

    Raises UsageError where ``out`` holds something that is no site, ProblemError for an invalid submission.
    """
    from ilp_bench.leaderboard.site import render as write_site

    return write_site(Path(submissions), Path(out), url=url, workers=workers)


def export(data: Dataset | Location, out: Location, *, format: str = "messages") -> int:
    """Write the training rows as JSON Lines for another trainer, in training order, and return their number.

        >>> ilp_bench.export("DATA", "train.jsonl", format="alpaca")

    format   ``messages``, ``prompt-completion``, ``alpaca`` or ``sharegpt``

    Raises UsageError for an unknown format, for user data, or where ``out`` already exists.
    """
    from ilp_bench.data.formats import export as write_rows

    return write_rows(_dataset(data), format, Path(out))


def _dataset(data: Dataset | Location) -> Dataset:
    return data if isinstance(data, Dataset) else read_dataset(data)


def _run(run: RunLike, what: str = "run") -> Run:
    return run if isinstance(run, Run) else read_run(run, what)


def _runs(runs: RunLike | Sequence[RunLike] | None, what: str = "run") -> list[Run]:
    """The runs of an argument that is one run, a sequence of runs, or None."""
    if runs is None:
        return []
    return [_run(run, what) for run in ([runs] if isinstance(runs, Run | str | Path) else runs)]


def _replicates(
    runs: RunLike | Sequence[RunLike],
    vanilla: RunLike | Sequence[RunLike],
    base_run: RunLike | Sequence[RunLike] | None,
) -> list[Any]:
    from ilp_bench.submission.format import matched

    return matched(_runs(runs), _runs(vanilla, "vanilla run"), _runs(base_run, "base run"))
