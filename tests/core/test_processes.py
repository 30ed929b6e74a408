import pytest

from ilp_bench.core.distributed import Processes, launched_processes


def test_without_a_launcher_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert launched_processes() == Processes(0, 1, 0)
    assert launched_processes().is_main
    assert launched_processes().device("cuda") == "cuda"


def test_a_launcher_names_rank_and_world_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    processes = launched_processes()
    assert processes == Processes(rank=5, world_size=8, local_rank=1)
    assert not processes.is_main
    assert [processes.device(name) for name in ("cuda", "cuda:3", "cpu")] == ["cuda:1", "cuda:3", "cpu"]
