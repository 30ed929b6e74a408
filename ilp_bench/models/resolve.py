"""From a model's name, folder or Hub id to a local folder of safetensors; needs no torch."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import ProblemError, UsageError
from ilp_bench.core.files import file_sha256, read_json
from ilp_bench.models.nano import NANO, nano_path

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
DOWNLOADED = [
    "*.safetensors",
    "*.safetensors.index.json",
    "*.json",
    "tokenizer*",
    "*.model",
    "*.jinja",
    "*.txt",
    "*.py",
]


class Located(NamedTuple):
    """Where a model is.

    folder     with config, tokenizer and safetensors
    name       to show
    revision   the commit on the Hub it was pinned to; None for a local folder
    base       the base model of a PEFT adapter; None for full weights
    """

    folder: Path
    name: str
    revision: str | None = None
    base: Located | None = None

    @property
    def root(self) -> Located:
        """The folder with the full weights and the tokenizer: the base of an adapter, else the model itself."""
        return self.base.root if self.base else self


def locate(model: str) -> Located:
    """Find ``nano`` (or another of ``NANO``), a local folder, a PEFT adapter or a Hub id with optional ``@revision``.

    Raises UsageError for something that is none of them, ProblemError for a folder without usable weights.
    """
    if model in NANO:
        if not nano_path(model).is_dir():
            raise ProblemError(
                f"{model} is not in this package: python -m ilp_bench.models.nano.build --name {model} makes it"
            )
        return Located(nano_path(model), model)
    folder = Path(model)
    if folder.is_dir():
        return _local(folder)
    if HUB_ID.fullmatch(model) and not model.startswith((".", "/")):
        return _hub(model)
    raise UsageError(
        f"no model {model!r}: give {', '.join(NANO)}, an existing folder, or a Hub id as org/name or org/name@revision"
    )


def _local(folder: Path) -> Located:
    name = folder.resolve().name
    if (folder / "adapter_config.json").is_file():
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
        if not base:
            raise ProblemError(
                f"{folder}/adapter_config.json does not say which model it adapts (base_model_name_or_path)"
            )
        return Located(folder, name, base=locate(str(base)))
    if not (folder / "config.json").is_file():
        raise ProblemError(f"{folder} is no model (no config.json): save one there with save_pretrained")
    if not any(folder.glob("*.safetensors")):
        raise ProblemError(
            f"{folder} has no .safetensors weights: other formats can run code when they are loaded; convert them"
        )
    if not any(folder.glob("tokenizer*")):
        raise ProblemError(f"{folder} has no tokenizer: save it there with tokenizer.save_pretrained")
    return Located(folder, name)


def _hub(model: str) -> Located:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, _, revision = model.partition("@")
    try:
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=DOWNLOADED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"{model!r} is no local folder and cannot be had from the Hub: {reason}") from error
    return Located(folder, name, folder.name, _local(folder).base)


def weights_sha256(located: Located) -> str:
    """A hash over the safetensors files in name order, adapter and base together."""
    digest = hashlib.sha256()
    for part in (located, *([located.base] if located.base else [])):
        for file in sorted(part.folder.glob("*.safetensors")):
            digest.update(f"{file.name} {file_sha256(file)}\n".encode())
    return digest.hexdigest()
