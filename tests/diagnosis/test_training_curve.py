"""What was measured during a training is read again by a diagnosis."""

from __future__ import annotations

import json
from pathlib import Path

from ilp_bench.diagnosis.asking.training_curve import FILE, CurvePoint, in_training


def line(step: int, item: str, reproduced: object, answer: str = "a") -> str:
    return json.dumps({"step": step, "item_id": item, "answer": answer, "loss": 1.0, "reproduced": reproduced})


def test_the_curve_and_the_best_of_each_row(tmp_path: Path) -> None:
    lines = [line(0, "x", 0.9), line(50, "x", 0.9)]  # of an earlier training
    lines += [line(0, "x", 0.0), line(0, "y", 0.2), line(10, "x", 0.8), line(10, "y", 0.6), line(20, "x", 0.4)]
    lines += ["{", "[]", line(20, "y", 7), line(20, "y", None)]  # damaged, or impossible
    (tmp_path / FILE).write_text("\n".join(lines))
    read = in_training(tmp_path, {"x": "a", "y": "b"})
    assert [(point.step, point.rows) for point in read.curve] == [(0, 2), (10, 2), (20, 1)]
    assert read.curve[1] == CurvePoint(step=10, rows=2, reproduced=0.7)
    assert read.best == {"x": (0.8, 10)}, "y has another answer here: it is another row"


def test_beside_a_checkpoint_or_nowhere(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-20"
    checkpoint.mkdir()
    assert in_training(checkpoint, {}).curve == []
    (tmp_path / FILE).write_text(line(20, "x", 0.5))
    assert in_training(checkpoint, {"x": "a"}).best == {"x": (0.5, 20)}
