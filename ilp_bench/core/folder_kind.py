"""What stands at a path that was given in place of something else, for messages about wrong calls."""

from __future__ import annotations

from pathlib import Path

KINDS = {  # the file that tells a folder of this kind
    "run.json": "a run",
    "submission.json": "a submission",
    "manifest.json": "a dataset",
    "reference.json": "a reference",
    "adapter_config.json": "an adapter",
    "config.json": "a model",
    "report.json": "a report",
    "build.json": "a site",
}


def folder_kind(path: Path) -> str | None:
    """The kind of folder that this package wrote or reads, such as ``a run``; None for any other path."""
    return next((kind for name, kind in KINDS.items() if (path / name).is_file()), None)


def what_it_is(path: Path) -> str:
    """The end of a sentence about a path that is not what was wanted: ``it is a run``, ``it does not exist``."""
    if kind := folder_kind(path):
        return f"it is {kind}"
    if not path.exists():
        return "it does not exist"
    if path.is_file():
        return "it is a file"
    return "it is a folder of other files" if any(path.iterdir()) else "it is an empty folder"
