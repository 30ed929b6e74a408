"""Entries stay verifiable when the data change: their items are read from stored copies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forging import archived_entry, honest_entry

from ilp_bench.core.errors import UsageError
from ilp_bench.data import dataset, manifest
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.submission import archive, check_all_rows
from ilp_bench.submission.archive import DatasetKey, archived, build_items, dataset_items, write_copy
from ilp_bench.submission.archive.__main__ import used_datasets
from ilp_bench.submission.validate import validate

SUBMISSIONS = Path(__file__).parents[2] / "submissions"


@pytest.fixture(scope="module")
def uncopied() -> Dataset:
    """A dataset of today's version of which there is no copy."""
    return make("mini", 77)


@pytest.fixture(scope="module")
def uncopied_entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest_entry(tmp_path_factory.mktemp("uncopied"), seeds=(77,))


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return honest_entry(tmp_path_factory.mktemp("entry"))


@pytest.fixture
def copied(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatasetKey]:
    """A dataset of today's version of which there is a copy, beside those that are there."""
    key, folder = DatasetKey(manifest.VERSION, "mini", 0), tmp_path_factory.mktemp("copies")
    for file in archived().values():
        if file.name != key.file_name:  # which is written here, and would be through a link
            (folder / file.name).symlink_to(file)
    write_copy(key, folder)
    monkeypatch.setattr(archive, "FOLDER", folder)
    archived.cache_clear()
    yield key
    archived.cache_clear()


@pytest.fixture
def next_version(copied: DatasetKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the data had changed: this version is another, and no dataset that it builds is an old one."""

    def changed(size: str, seed: int, **knobs: Any) -> Dataset:
        return make(size, seed + 1000, **knobs)

    monkeypatch.setattr(manifest, "VERSION", "next")
    monkeypatch.setattr(dataset, "make", changed)
    caches = (archive._cached_items, check_all_rows._expected)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_an_entry_of_an_earlier_dataset_still_holds(
    entry: Path, mini: Dataset, tmp_path: Path, next_version: None
) -> None:
    assert validate(archived_entry(tmp_path)) == []
    assert validate(entry) == []
    assert dataset_items(DatasetKey("next", "mini", 0), mini.sha256).content_sha256 != mini.sha256


def test_an_earlier_dataset_without_a_copy_is_one_clear_line(
    uncopied: Dataset, uncopied_entry: Path, next_version: None
) -> None:
    (problem,) = {line.split(": ", 2)[2] for line in validate(uncopied_entry)}
    version = uncopied.manifest.version
    assert problem.startswith(f"dataset 'mini' seed 77 cannot be built: of version {version} there is no copy")
    with pytest.raises(UsageError, match="there is no copy"):
        dataset_items(DatasetKey(f"../../{version}", "mini", 0), uncopied.sha256)


def test_copies_are_what_is_built_today(copied: DatasetKey, monkeypatch: pytest.MonkeyPatch) -> None:
    current = {key: build_items(key) for key in archived() if key.version == manifest.VERSION}
    assert copied in current
    monkeypatch.setattr(manifest, "VERSION", "next")
    for key, built in current.items():
        copy = dataset_items(key, built.content_sha256)
        assert copy.content_sha256 == built.content_sha256
        assert copy.items.drop_columns("dose").equals(built.items.drop_columns("dose"))
        doses = copy.items["dose"].to_numpy(), built.items["dose"].to_numpy()
        np.testing.assert_array_equal(*doses)  # NaN equals NaN here


def test_every_dataset_that_an_entry_names_has_a_copy() -> None:
    missing = used_datasets(SUBMISSIONS) - archived().keys()
    assert not missing, "run python -m ilp_bench.submission.archive"
    assert sum(file.stat().st_size for file in archived().values()) < 2 * 2**20
