"""Data: build, load, import and export datasets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilp_bench.api.arguments import Location, as_dataset
from ilp_bench.core.errors import UsageError, near
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make, make_from, write
from ilp_bench.data.dataset import load as read_dataset
from ilp_bench.data.settings import FREQUENCIES, HOPS, SHARES, STAGES, Settings, as_tuple

if TYPE_CHECKING:
    from datasets import DatasetDict


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

    size          ``mini``, ``core`` or ``full``: 40, 150 or 1500 pairs a cause
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
        causes=as_tuple("causes", causes),
        shares=as_tuple("shares", shares),
        stages=stages,
        frequencies=as_tuple("frequencies", frequencies),
        hops=as_tuple("hops", hops),
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

    In memory, without a network. Raises UsageError for an unknown cause, size or knob, an impossible value, ``causes``
    beside a cause, or more pairs than there are facts.
    """
    from datasets import Dataset as HubDataset
    from datasets import DatasetDict

    if cause is not None:
        CAUSES.get(cause)
    if unknown := set(knobs) - {field.name for field in fields(Settings)}:
        raise UsageError(f"unknown knob {min(unknown)!r}.{near(min(unknown), [f.name for f in fields(Settings)])}")
    if cause and "causes" in knobs:
        raise UsageError(f"the cause {cause} and causes are both given: give one of them")
    if knobs and cause:
        knobs["causes"] = (cause,)
    dataset = make(size, seed, **knobs)
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
    model: str | None = None,
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
    model        leave out answers that this model cannot be asked: too long, or refused by its chat template
    strict       stop at the first row that cannot be used; by default such rows are left out and counted
    subset       of a folder or a Hub dataset
    split        of a folder or a Hub dataset; by default ``train``

    What is not used or left out is in ``manifest.ignored`` and ``manifest.skipped``. The dataset has no causes and no
    arms, so it cannot be scored. Raises UsageError where nothing can be read or the columns fit no format, ProblemError
    where too few rows are left.
    """
    from ilp_bench.data.user_data import import_rows as read_rows

    if model:
        from ilp_bench.models.askable import askable_by
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
        check=askable_by(model) if model else None,
    )
    if out is not None:
        write(dataset, Path(out))
    return dataset


def export(data: Dataset | Location, out: Location, *, format: str = "messages") -> int:
    """Write the training rows as JSON Lines for another trainer, in training order, and return their number.

        >>> ilp_bench.export("DATA", "train.jsonl", format="alpaca")

    format   ``messages``, ``prompt-completion``, ``alpaca`` or ``sharegpt``

    Raises UsageError for an unknown format, for user data, or where ``out`` already exists.
    """
    from ilp_bench.data.formats import export as write_rows

    return write_rows(as_dataset(data), format, Path(out))
