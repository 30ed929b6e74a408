"""Which safetensors files of a folder are a model's weights, and what is wrong with them; needs no torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from math import prod
from pathlib import Path

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import LFS_POINTER, read_json

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_model.safetensors"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
NO_WEIGHTS = ("training_args.bin", "optimizer.", "scheduler.", "rng_state")  # what trainers pickle beside a model
PACKED = ("qweight", "qzeros", "weight_packed", "absmax", "quant_map", "SCB")  # ends of names of quantised weights
HEADER_LIMIT = 100 * 2**20  # bytes; the limit of the safetensors format itself
# How wrappers rename the weights that they hold, and what to save instead.
WRAPPERS = {
    "_orig_mod.": "it was saved from a model that torch.compile had wrapped: save model._orig_mod",
    "_fsdp_wrapped_module.": "it was saved from inside FSDP: gather a full state dict and save that",
    "module.": "it was saved from inside DistributedDataParallel: save model.module",
    "base_model.model.": "it was saved from a PEFT model as if it were whole: save the adapter, or merge it first",
}


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a whole model, as transformers chooses them: one, or the shards of an index, by name.

    Raises ProblemError where there are none, or one is missing, is a Git LFS pointer or is cut short.
    """
    if (folder / WHOLE).is_file():
        files = [folder / WHOLE]
    elif (folder / INDEX).is_file():
        shards = read_json(folder / INDEX).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise ProblemError(f"{folder / INDEX} names no shards: save the model again")
        files = [folder / name for name in sorted({str(name) for name in shards.values()})]
    else:
        raise ProblemError(f"{folder} has no {WHOLE} and no {INDEX}: {_instead(folder)}")
    for file in files:
        check_file(file)
    return files


def adapter_file(folder: Path) -> Path:
    """The weights of a PEFT adapter. Raises ProblemError where they are missing, pickled or damaged."""
    file = folder / ADAPTER
    if not file.is_file():
        raise ProblemError(f"{folder} has no {ADAPTER}: {_instead(folder)}")
    check_file(file)
    return file


def _instead(folder: Path) -> str:
    pickles = [file.name for pattern in PICKLES for file in folder.glob(pattern)]
    if any(not name.startswith(NO_WEIGHTS) for name in pickles):
        return "pickled weights can run code when they are loaded; save them as safetensors"
    return "the upload or download is not complete; copy the folder again"


def check_file(file: Path) -> None:
    """Raise ProblemError unless the file is there and holds all the bytes that its header declares."""
    tensor_shapes(file)


def tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor, from the header alone. Raises ProblemError as :func:`check_file` does."""
    if not file.is_file():
        raise ProblemError(f"{file} is missing: the upload or download is not complete; copy the folder again")
    with file.open("rb") as opened:
        start = opened.read(len(LFS_POINTER))
        if start == LFS_POINTER:
            raise ProblemError(f"{file} is a Git LFS pointer, not the weights: run 'git lfs pull' in its repository")
        length = struct.unpack("<Q", start[:8])[0] if len(start) >= 8 else HEADER_LIMIT + 1
        try:
            if length > HEADER_LIMIT:
                raise ValueError("no header")
            opened.seek(8)
            entries = {name: entry for name, entry in json.loads(opened.read(length)).items() if name != "__metadata__"}
            shapes = {name: tuple(map(int, entry["shape"])) for name, entry in entries.items()}
            end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ProblemError(f"{file} is not a safetensors file: save the weights again") from error
    if file.stat().st_size != 8 + length + end:
        raise ProblemError(f"{file} is cut short or has bytes too many: copy it again")
    return shapes


def count_values(folder: Path) -> int:
    """The number of values in the files that hold a whole model."""
    return sum(prod(shape) for file in weight_files(folder) for shape in tensor_shapes(file).values())


def wrapper_of(names: Iterable[str]) -> str | None:
    """What to do where weights carry the prefix of a wrapper anywhere in their name, or are packed; None where not."""
    listed = list(names)
    if any(name.rpartition(".")[2] in PACKED for name in listed):
        return "they are quantised, and its config.json does not say how (quantization_config): save the model again"
    return next(
        (
            remedy
            for prefix, remedy in WRAPPERS.items()
            if any(name.startswith(prefix) or f".{prefix}" in name for name in listed)
        ),
        None,
    )


def named(names: Iterable[str], limit: int = 3) -> str:
    """The first few names, and how many there are beyond."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more
