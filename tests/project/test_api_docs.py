"""docs/api.md is what the docstrings say."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "api-docs"


@pytest.fixture(scope="module")
def script() -> Any:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("api_docs", str(SCRIPT))
    spec = importlib.util.spec_from_loader("api_docs", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_page_is_current_and_lines_fit(script: Any) -> None:
    text = script.page()
    assert (ROOT / "docs" / "api.md").read_text() == text, "run scripts/api-docs"
    assert max(map(len, text.splitlines())) <= 100


def test_a_page_that_is_not_current_is_refused(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "PAGE", tmp_path / "api.md")
    monkeypatch.setattr(sys, "argv", ["api-docs"])
    script.main()
    monkeypatch.setattr(sys, "argv", ["api-docs", "--check"])
    script.main()
    (tmp_path / "api.md").write_text("old")
    with pytest.raises(SystemExit, match="run scripts/api-docs"):
        script.main()


def test_the_script_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_parameters_that_go_on_in_a_second_line_stay_one_item(script: Any) -> None:
    lines = ["size, seed   what ``it``", "             depends on", "out          a folder"]
    assert "".join(script.parameter_list(lines)) == "- `size`, `seed`: what `it` depends on\n- `out`: a folder\n"
