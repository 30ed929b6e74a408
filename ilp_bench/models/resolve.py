"""From a model's name, folder or Hub id to a local folder of safetensors; needs no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from ilp_bench.core.errors import ProblemError, UsageError, near
from ilp_bench.core.files import HUB_ID, file_sha256, read_json
from ilp_bench.core.folder_kind import what_it_is
from ilp_bench.core.hub import hub_reason
from ilp_bench.models.nano import NANO, nano_path
from ilp_bench.models.weight_files import adapter_file, weight_files

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
        """The folder with the full weights: the base of an adapter, else the model itself."""
        return self.base.root if self.base else self

    @property
    def adapters(self) -> tuple[Located, ...]:
        """The adapters on top of :attr:`root`, in the order in which they were trained."""
        return (*self.base.adapters, self) if self.base else ()


def tokenizer_folder(located: Located) -> Path:
    """Where the tokenizer stands that the model was trained with: the last adapter's own, else the nearest before."""
    folders = [part.folder for part in (located.root, *located.adapters)]
    return next((folder for folder in reversed(folders) if _has_tokenizer(folder)), located.root.folder)


def _has_tokenizer(folder: Path) -> bool:
    return (folder / "tokenizer_config.json").is_file() and any(
        (folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
    )


def locate(model: str, base: str | None = None) -> Located:
    """Find ``nano`` (or another of ``NANO``), a local folder, a PEFT adapter or a Hub id with optional ``@revision``.

    base   the model that an adapter adapts, where its own path is one of another machine

    Raises UsageError for something that is none of them or for a ``base`` of a model that is no adapter, ProblemError
    for a folder without usable weights.
    """
    located = _locate(model, base)
    if base and not located.base:
        raise UsageError(f"{model} is not an adapter: leave the base model out")
    return located


def _locate(model: str, base: str | None) -> Located:
    if model in NANO:
        if not nano_path(model).is_dir():
            raise ProblemError(
                f"{model} is not in this package: python -m ilp_bench.models.nano.build --name {model} makes it"
            )
        return Located(nano_path(model), model)
    folder = Path(model)
    if folder.is_dir():
        return _local(folder, base)
    if HUB_ID.fullmatch(model):
        return _hub(model, base)
    raise UsageError(
        f"no model {model!r}: give {', '.join(NANO)}, an existing folder, or a Hub id as org/name or org/name@revision."
        + near(model, NANO, or_list=False)
    )


def _local(folder: Path, base: str | None) -> Located:
    name = folder.resolve().name
    if (folder / "adapter_config.json").is_file():
        located = Located(folder, name, base=_base_of(folder, base))
        adapter_file(folder)
        return located
    whole, adapters = (folder / "config.json").is_file(), sorted(folder.glob("*/adapter_config.json"))
    if adapters and not whole:
        names = ", ".join(str(path.parent) for path in adapters)
        raise UsageError(f"{folder} holds adapters in folders of their own: give one of {names}")
    if not whole:
        raise ProblemError(
            f"{folder} is not a model: {what_it_is(folder)}; give the folder that save_pretrained or "
            "'ilp-bench train' wrote"
        )
    weight_files(folder)
    if not any(folder.glob("tokenizer*")):
        raise ProblemError(f"{folder} has no tokenizer: save it there with tokenizer.save_pretrained")
    return Located(folder, name)


def _base_of(folder: Path, base: str | None) -> Located:
    """The model that an adapter adapts: ``base``, or what its configuration says, at the revision that it names."""
    config = read_json(folder / "adapter_config.json")
    stated, revision = config.get("base_model_name_or_path"), config.get("revision")
    if base:
        return locate(base)
    if not stated:
        raise ProblemError(
            f"{folder}/adapter_config.json does not say which model it adapts: say which model is its base"
        )
    name = str(stated)
    if revision and HUB_ID.fullmatch(name) and "@" not in name and not Path(name).is_dir() and name not in NANO:
        name = f"{name}@{revision}"
    try:
        return locate(name)
    except UsageError as error:
        raise UsageError(
            f"the base model {name!r} of the adapter in {folder} is not here: say which model is its base"
        ) from error


def _hub(model: str, base: str | None) -> Located:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, _, revision = model.partition("@")
    try:
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=DOWNLOADED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = hub_reason(error)
        raise UsageError(f"{model!r} is not a local folder and could not be downloaded: {reason}") from error
    return Located(folder, name, folder.name, _local(folder, base).base)


def weights_sha256(located: Located) -> str:
    """A hash over the safetensors files that are loaded, in name order: adapters and their base together."""
    digest = hashlib.sha256()
    for part in (*reversed(located.adapters), located.root):
        for file in [adapter_file(part.folder)] if part.base else weight_files(part.folder):
            digest.update(f"{file.name} {file_sha256(file)}\n".encode())
    return digest.hexdigest()
