"""Publishing dataset folders on the Hugging Face Hub; the only module that writes to it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import new_folder
from ilp_bench.core.hub import hub_reason
from ilp_bench.data.card import card, croissant, eval_yaml
from ilp_bench.data.dataset import load
from ilp_bench.data.manifest import MANIFEST, Manifest


def layout(data: Sequence[Path], out: Path) -> None:
    """Lay dataset folders out as one repository: ``<size>/*.parquet``, README.md, eval.yaml, croissant.json.

    Raises UsageError for a folder that is no dataset, or two of one size.
    """
    parts: list[tuple[str, Manifest]] = []
    for folder in data:
        manifest = load(folder).controlled("push").manifest
        size = manifest.size
        if size in dict(parts):
            raise UsageError(f"two datasets of size {size!r}: a repository holds one of each size")
        parts.append((size, manifest))
        (out / size).mkdir(parents=True)
        for name in (*(manifest.files or ()), MANIFEST):
            shutil.copyfile(folder / name, out / size / name)
    (out / "README.md").write_text(card(parts))
    (out / "eval.yaml").write_text(eval_yaml(parts))
    (out / "croissant.json").write_text(json.dumps(croissant(parts), indent=1) + "\n")


def push(repository: str, data: Sequence[Path], *, private: bool = False, dry_run: Path | None = None) -> str:
    """Upload dataset folders as one dataset repository, in one commit; return a line about what was done.

    With ``dry_run``, only write what would be uploaded. The token is that of ``hf auth login`` or HF_TOKEN. Raises
    UsageError for a name that is no repository id, ProblemError when the Hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi

    with hub_errors(repository):
        pass  # the name alone
    if dry_run:
        with new_folder(dry_run) as folder:
            layout(data, folder)
        return f"{dry_run}: what would be uploaded to {repository}"
    with tempfile.TemporaryDirectory() as folder:
        layout(data, Path(folder))
        api = HfApi()
        with hub_errors(repository):
            url = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=repository,
                repo_type="dataset",
                folder_path=folder,
                commit_message="Publish ILP-Bench datasets",
                delete_patterns=["*.parquet"],
            )
    return f"{url}: {done.commit_message}, {done.oid}"


@contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """Reading or writing a repository of the Hub.

    Raises UsageError for a name that is no repository id, ProblemError when the Hub refuses or cannot be reached.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
    from huggingface_hub.utils._validators import validate_repo_id

    # OSError, and the error of the HTTP library that this version of huggingface_hub has, for no network at all.
    no_answer: tuple[type[Exception], ...] = HfHubHTTPError.__bases__
    try:
        validate_repo_id(repository)
        if "/" not in repository:
            raise UsageError(f"{repository!r} has no owner: give org/name")
        yield
    except HFValidationError as error:
        raise UsageError(
            f"{repository!r} is not a repository id: write it as org/name, of letters, digits, - _ and ."
        ) from error
    except LocalTokenNotFoundError as error:
        raise ProblemError("no Hub token: run 'hf auth login' or set HF_TOKEN") from error
    except no_answer as error:
        raise ProblemError(f"{repository!r} on the Hub: {hub_reason(error)}") from error
