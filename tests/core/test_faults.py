"""Killed at any step, or out of disk space: what was there before is still there, whole, and the same call succeeds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forging import honest_entry
from points_entries import runs_of

from ilp_bench.core.files import new_folder
from ilp_bench.records.run_record import write_run

# Dies without any clean-up at the n-th call of a function that changes the file system.
KILL = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet as pq
import ilp_bench.cli.main, ilp_bench.core.files
left = int(sys.argv.pop(1))
def deadly(function):
    def call(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)
    return call
Path.rename, Path.replace, Path.write_text = map(deadly, (Path.rename, Path.replace, Path.write_text))
pq.write_table = deadly(pq.write_table)
ilp_bench.core.files._exchange = deadly(ilp_bench.core.files._exchange)
ilp_bench.cli.main.main()
"""
# Writes beyond so many bytes of a file fail, as on a full disk.
FULL = """
import resource, sys
from ilp_bench.cli.main import main
size = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
main()
"""


@pytest.fixture(scope="module")
def runs_there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a run to submit, and of vanilla and base runs."""
    root = tmp_path_factory.mktemp("runs")
    for name, (run,) in zip(("run", "vanilla", "base"), runs_of("combined", (0,), gain=0.3), strict=True):
        write_run(root / name, run.record.model_dump(mode="json", exclude={"samples_sha256"}), run.samples)
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an entry, a table, decisions and a rendered site."""
    root = tmp_path_factory.mktemp("made")
    entry = honest_entry(root / "submissions", model="first")
    (root / "meta.json").write_text('{"org": "lab", "model": "second", "division": "open"}')
    main("table", root / "submissions")
    main("decide", entry, "accepted", "--reason", "it holds", "--by", "me")
    main("render", "--submissions", root / "submissions", "--out", root / "site")
    return root


@pytest.fixture
def state(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be harmed."""
    return Path(shutil.copytree(made, tmp_path / "state"))


def main(*words: object) -> None:
    from ilp_bench.cli.main import app

    app([str(word) for word in words], standalone_mode=False)


def run(program: str, number: int, *words: object) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", program, str(number), *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, timeout=300)


def seen(root: Path) -> dict[str, bytes]:
    """What others see: every file whose path has no hidden part."""
    files = (path for path in root.rglob("*") if path.is_file())
    names = {str(path.relative_to(root)): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not any(p[0] == "." for p in Path(name).parts)}


def commands(state: Path, runs_there: Path) -> dict[str, tuple[object, ...]]:
    entry = next((state / "submissions").glob("lab__first/*"))
    return {
        "submit": (
            "submit",
            runs_there / "run",
            "--vanilla",
            runs_there / "vanilla",
            "--base-run",
            runs_there / "base",
            "--meta",
            state / "meta.json",
            "--out",
            state / "submissions",
        ),
        "render": ("render", "--submissions", state / "submissions", "--out", state / "site"),
        "decide": ("decide", entry, "withdrawn", "--reason", "a bug", "--by", "me"),
        "validate": ("validate", state / "submissions"),
    }


@pytest.mark.parametrize(
    ("command", "number"),
    [
        pytest.param("submit", 1, marks=pytest.mark.slow),
        pytest.param("submit", 3, marks=pytest.mark.slow),
        pytest.param("render", 4, marks=pytest.mark.slow),
        ("decide", 2),
    ],
)
def test_killed_at_any_step_nothing_is_lost(command: str, number: int, state: Path, runs_there: Path) -> None:
    before, call = seen(state), commands(state, runs_there)[command]
    done = run(KILL, number, *call)
    assert done.returncode == -9, done.stderr
    after, log = seen(state), "submissions/decisions.jsonl"
    if command == "decide":  # a line is appended and on the disk at once; nothing that was there changes
        assert after.pop(log).startswith(before.pop(log, b""))
    assert after == before
    if command != "decide":  # its table follows from the decisions: validate names the command that writes it again
        main("validate", state / "submissions")
    main(*call)
    main("validate", state / "submissions")
    assert seen(state) != before or command == "render"


@pytest.mark.parametrize(
    ("command", "size"), [pytest.param("submit", 1000, marks=pytest.mark.slow), ("render", 300), ("decide", 50)]
)
def test_on_a_full_disk_nothing_is_lost(command: str, size: int, state: Path, runs_there: Path) -> None:
    before, call = seen(state), commands(state, runs_there)[command]
    done = run(FULL, size, *call)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "problem:" in done.stderr
    assert seen(state) == before
    main("validate", state / "submissions")


@pytest.mark.slow
def test_validating_writes_nothing(state: Path, runs_there: Path) -> None:
    before = seen(state)
    done = run(FULL, 0, *commands(state, runs_there)["validate"])
    assert (done.returncode, seen(state)) == (0, before), done.stderr


def test_a_folder_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "site"
    for text in ("old", "new"):
        with new_folder(out, replace=True) as folder:
            (folder / "index.html").write_text(text)
    assert (out / "index.html").read_text() == "new"
    monkeypatch.setattr("ilp_bench.core.files.ctypes.CDLL", lambda *_, **__: object())  # a system without renameat2
    with new_folder(out, replace=True) as folder:
        (folder / "index.html").write_text("newer")
    assert (out / "index.html").read_text() == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_a_killed_process_left_of_a_folder_goes_with_the_next(tmp_path: Path) -> None:
    state = tmp_path / "out.partial"
    (state / "draft").mkdir(parents=True)
    (state / "draft" / "half").touch()
    with new_folder(tmp_path / "out", within=state) as folder:
        (folder / "whole").touch()
        assert {path.name for path in tmp_path.iterdir()} == {"out.partial"}  # a kill leaves nothing beside it
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]
    assert not list(state.iterdir())
