"""Which references there are, and one of them as a folder: from this installation, else from the Hub."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import UsageError, near
from ilp_bench.core.files import new_folder
from ilp_bench.data.card import HUB_DATASET
from ilp_bench.data.hub import hub_errors
from ilp_bench.records.reference_record import FILE
from ilp_bench.scoring.references import Reference, committed_references, read_reference


class ReferenceRow(NamedTuple):
    """What a newcomer asks of a reference: base model, data, prompt format, budgets in supervised tokens, runs."""

    name: str
    base: str
    base_sha256: str
    size: str
    seeds: list[int]
    prompt_format: str
    division: str
    budgets: list[int | None]
    vanilla_runs: int


def reference_rows() -> list[ReferenceRow]:
    """The committed references, in the order of their names."""
    return [_row(reference) for reference in committed_references().values()]


def _row(reference: Reference) -> ReferenceRow:
    record = reference.record
    return ReferenceRow(
        reference.name,
        record.base_name,
        record.base_sha256,
        record.size,
        reference.seeds,
        record.prompt_format,
        record.division,
        [dataset.budget for dataset in record.datasets],
        reference.vanilla_count,
    )


def fetch_reference(name: str, out: Path, repository: str = HUB_DATASET) -> Reference:
    """Write the reference ``name`` as the folder ``out``, checked against its hashes; a committed one needs no network.

    repository  Hub dataset whose folder ``references`` has the others

    Raises UsageError where there is none of that name or ``out`` is in use, ProblemError without a way to the Hub.
    """
    committed = committed_references()
    if name in committed:
        with new_folder(out) as folder:
            shutil.copytree(committed[name].folder, folder, dirs_exist_ok=True)
        return _checked(out)
    from huggingface_hub import snapshot_download

    with hub_errors(repository), new_folder(out) as folder:
        kept = snapshot_download(repository, repo_type="dataset", allow_patterns=[f"references/{name}/*"])
        source = Path(kept) / "references" / name
        if not (source / FILE).is_file():
            raise UsageError(f"there is no reference {name!r} here or in {repository}.{near(name, committed)}")
        shutil.copytree(source, folder, dirs_exist_ok=True)
    return _checked(out)


def _checked(folder: Path) -> Reference:
    reference = read_reference(folder)
    assert reference.comparisons  # reading them checks their hashes
    return reference
