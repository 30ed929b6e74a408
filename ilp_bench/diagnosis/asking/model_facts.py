"""What the files of two models say about one another: same weights, another base, another tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ilp_bench.diagnosis.asking.trainer_notes import trainer_notes
from ilp_bench.diagnosis.probes import ModelFacts
from ilp_bench.models.resolve import Located, weights_sha256
from ilp_bench.models.weight_files import tensor_shapes, weight_files

COMPARED = 6  # tensors whose values are compared


def model_facts(tuned: Located, base: Located, tokenizer: Any, base_tokenizer: Any) -> ModelFacts:
    """Compare the files and tokenizers of two models."""
    vocabulary, base_vocabulary = tokenizer.get_vocab(), base_tokenizer.get_vocab()
    return ModelFacts(
        same_weights=weights_sha256(tuned) == weights_sha256(base),
        adapter_base=tuned.base.name if tuned.base else None,
        distance=weight_distance(tuned.root.folder, base.root.folder),
        vocabulary=len(vocabulary),
        base_vocabulary=len(base_vocabulary),
        renumbered=sum(
            base_vocabulary[token] != number for token, number in vocabulary.items() if token in base_vocabulary
        ),
        added=sum(token not in base_vocabulary for token in vocabulary),
        notes=trainer_notes(tuned.folder),
    )


def weight_distance(folder: Path, other: Path) -> float | None:
    """The median over some tensors of ``|a - b| / |b|``; None where no matrix of both has the same shape."""
    files, others = (
        {name: file for file in weight_files(each) for name in tensor_shapes(file)} for each in (folder, other)
    )
    shared = [
        name
        for name in sorted(files.keys() & others.keys())
        if len(shape := tensor_shapes(files[name])[name]) == 2 and shape == tensor_shapes(others[name])[name]
    ]
    chosen = shared[:: max(1, len(shared) // COMPARED)][:COMPARED]
    distances = []
    for name in chosen:
        a, b = _tensor(files[name], name), _tensor(others[name], name)
        distances.append(float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-12)))
    return float(np.median(distances)) if distances else None


def _tensor(file: Path, name: str) -> Any:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        return opened.get_tensor(name).float().numpy()
