"""The notebook in examples/ runs from its first cell to its last, as it stands, on nano."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "examples" / "first_look.ipynb"


def cells() -> list[dict]:
    return [cell for cell in json.loads(FILE.read_text())["cells"] if cell["cell_type"] == "code"]


def test_the_stored_outputs_are_of_one_run_without_error() -> None:
    assert [cell["execution_count"] for cell in cells()] == list(range(1, len(cells()) + 1))
    for cell in cells():
        ast.parse("".join(cell["source"]))
        assert not any(output["output_type"] == "error" for output in cell["outputs"])


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the kernel's socket, which is on this machine alone
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(FILE.parents[1]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = nbformat.read(FILE, as_version=4)
    client.NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text", "") + output.get("data", {}).get("text/html", "") for output in shown]
    assert any("supervised tokens" in text for text in texts)
    assert any("left_side_forgetting" in text and "G in points" in text for text in texts)
    assert any("items are expected to be unlearned" in text for text in texts)
    assert not list(tmp_path.iterdir())  # all that it writes is in a temporary folder
