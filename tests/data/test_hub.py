import json
from pathlib import Path
from unittest.mock import create_autospec

import huggingface_hub
import mlcroissant
import pytest
import yaml
from datasets import get_dataset_config_names, load_dataset
from huggingface_hub import DatasetCard
from huggingface_hub.errors import HfHubHTTPError

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.data.hub import push


@pytest.fixture(scope="module")
def repository(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be uploaded: mini, and a second size made small by a knob."""
    root = tmp_path_factory.mktemp("hub")
    core = write(make("core", 0, pairs=20), root / "core")
    push("lab/ilp-bench", [data, core], dry_run=root / "repository")
    return root / "repository"


def test_there_is_a_config_per_size_table_and_cause(repository: Path, mini: Dataset) -> None:
    names = get_dataset_config_names(str(repository))
    for size in ("mini", "core"):
        assert {size, f"{size}-items", f"{size}-knowledge", f"{size}-shots"} <= set(names)
        assert {f"{size}-{cause}{end}" for cause in CAUSES.names() for end in ("", "-items")} <= set(names)
    assert names[0] == "mini"


@pytest.mark.parametrize("streaming", [False, True])
def test_every_config_loads_the_rows_of_its_cause(
    repository: Path, mini: Dataset, streaming: bool, tmp_path: Path
) -> None:
    for cause in CAUSES.names():
        for table, split in (("train", "train"), ("items", "test")):
            name = f"mini-{cause}" + ("" if table == "train" else f"-{table}")
            rows = load_dataset(str(repository), name, split=split, streaming=streaming, cache_dir=str(tmp_path))
            wanted = [row for row in getattr(mini, table).to_pylist() if row["cause"] == cause]
            assert [row["item_id"] for row in rows] == [row["item_id"] for row in wanted]
    train = load_dataset(str(repository), split="train", streaming=streaming, cache_dir=str(tmp_path))
    assert [row["row_id"] for row in train] == mini.train["row_id"].to_pylist()


def test_a_built_folder_loads_too(data: Path, mini: Dataset, tmp_path: Path) -> None:
    items = load_dataset(str(data), "mini-items", split="test", cache_dir=str(tmp_path))
    assert items["probe_id"] == mini.items["probe_id"].to_pylist()


def test_croissant_is_valid_and_gives_records(repository: Path, mini: Dataset) -> None:
    croissant = mlcroissant.Dataset(jsonld=str(repository / "croissant.json"))
    assert not croissant.metadata.ctx.issues.errors
    assert not croissant.metadata.ctx.issues.warnings
    records = list(croissant.records("mini-items"))
    assert len(records) == mini.items.num_rows
    assert records[0]["mini-items/prompt"].decode() == mini.items["prompt"][0].as_py()
    assert len(records[0]["mini-items/choices"]) == 4


def test_push_makes_one_commit_through_the_hub_client(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = create_autospec(huggingface_hub.HfApi, instance=True)
    api.create_repo.return_value = "https://huggingface.co/datasets/lab/ilp-bench"
    seen: list[str] = []

    def upload(**call: object) -> huggingface_hub.CommitInfo:
        folder = Path(str(call["folder_path"]))
        seen.extend(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))
        assert call["repo_type"] == "dataset"
        url = "https://huggingface.co/datasets/lab/ilp-bench/commit/" + "a" * 40
        return huggingface_hub.CommitInfo(url, "Publish", "", "a" * 40)

    api.upload_folder.side_effect = upload
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    line = push("lab/ilp-bench", [data], private=True)
    assert "a" * 40 in line
    api.create_repo.assert_called_once_with("lab/ilp-bench", repo_type="dataset", private=True, exist_ok=True)
    assert {"README.md", "eval.yaml", "croissant.json", "mini/train.parquet", "mini/manifest.json"} <= set(seen)


def test_what_cannot_be_pushed_is_one_clear_line(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not a repository id"):
        push("not a name", [data])
    with pytest.raises(UsageError, match="one of each size"):
        push("lab/x", [data, data], dry_run=tmp_path / "out")
    with pytest.raises(UsageError, match="is not a dataset"):
        push("lab/x", [tmp_path], dry_run=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ProblemError, match="the Hub is switched off here"):
        push("lab/x", [data])
    no_network = type("ConnectError", (HfHubHTTPError.__bases__[0],), {})
    api = create_autospec(huggingface_hub.HfApi, instance=True)
    api.create_repo.side_effect = no_network("[Errno -2] Name or service not known")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    with pytest.raises(ProblemError, match="it cannot be reached from here"):
        push("lab/x", [data])


def test_a_train_config_has_one_format_so_that_a_trainer_need_not_choose(repository: Path, tmp_path: Path) -> None:
    def columns(name: str) -> set[str]:
        return set(load_dataset(str(repository), name, split="train", cache_dir=str(tmp_path)).column_names)

    formats = {"prompt", "completion", "messages"}
    for cause in ("", "-rare_patterns"):
        assert columns(f"mini{cause}") & formats == {"prompt", "completion"}
        assert columns(f"mini{cause}-chat") & formats == {"messages"}


def test_eval_yaml_has_a_task_for_every_result_of_a_size_that_is_the_benchmarks(repository: Path) -> None:
    content = yaml.safe_load((repository / "eval.yaml").read_text())
    assert set(content) == {"name", "description", "evaluation_framework", "tasks"}
    names = get_dataset_config_names(str(repository))
    assert {task["config"] for task in content["tasks"]} == {"mini-items"}  # core is a set with knobs here
    assert {task["config"] for task in content["tasks"]} <= set(names)
    assert len({task["id"] for task in content["tasks"]}) == len(content["tasks"]) == 12


def test_the_card_names_sizes_and_licences(repository: Path) -> None:
    card = DatasetCard.load(repository / "README.md")
    assert card.data.license == ["apache-2.0", "cc-by-4.0"]
    assert "arxiv:2604.10079" in card.data.tags  # links the paper
    assert "author = {Xue, Chao and Wang, Yao" in card.text
    assert "knobs were turned" in card.text
    assert json.loads((repository / "mini" / "manifest.json").read_text())["size"] == "mini"
