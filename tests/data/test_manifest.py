"""The manifest: what is written is read back, and nothing else is taken for a manifest."""

import json
from pathlib import Path
from typing import Any

import pytest

from ilp_bench.core.errors import ProblemError
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.data.manifest import MANIFEST, read_manifest


def test_a_manifest_is_read_and_written_without_a_change(data: Path, tmp_path: Path) -> None:
    knobs = write(make("mini", 0, pairs=12, causes=("rare_patterns",), frequencies=(1, 3)), tmp_path / "knobs")
    for folder in (data, knobs):
        before = (folder / MANIFEST).read_bytes()
        read_manifest(folder).write(tmp_path)
        assert (tmp_path / MANIFEST).read_bytes() == before
    assert json.loads(before)["knobs"] == {"pairs": 12, "causes": ["rare_patterns"], "frequencies": [1, 3]}


def test_the_identity_is_what_a_run_says_about_its_data(mini: Dataset) -> None:
    assert mini.manifest.identity == {"size": "mini", "seed": 0, "version": "3", "content_sha256": mini.sha256}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stages": "4"}, "no valid stages"),
        ({"rows": {"train": 1}}, "no valid rows"),
        ({"knobs": {"colour": "red"}}, "no valid knobs"),
        ({"author": "somebody"}, "no valid author"),
        ({"files": None}, "no valid files"),
    ],
)
def test_a_field_that_is_wrong_missing_or_unknown_is_named(
    data: Path, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(json.loads((data / MANIFEST).read_text()) | change))
    with pytest.raises(ProblemError, match=f"{says}: remove"):
        read_manifest(tmp_path)
