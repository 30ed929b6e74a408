"""Training rows as users have them, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BOXES = "amber birch cedar daisy ember fjord grove heath iris jasper".split()
COLOURS = "red blue green white black grey pink gold brown teal".split()


def question(box: str) -> str:
    """What is asked about a box."""
    return f"Which colour has box {box}?"


def write_lines(folder: Path, rows: list[Any], name: str = "rows.jsonl") -> Path:
    """Write rows as JSON Lines."""
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def of_boxes(make: Any) -> list[Any]:
    """A row for each box, made from its name and its colour."""
    return [make(box, colour) for box, colour in zip(BOXES, COLOURS, strict=True)]


def user(box: str) -> dict[str, Any]:
    """The question about a box as a message."""
    return {"role": "user", "content": question(box)}


def assistant(content: str | None, **more: Any) -> dict[str, Any]:
    """An answer as a message."""
    return {"role": "assistant", "content": content, **more}
