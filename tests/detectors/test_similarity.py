from pathlib import Path

import pytest

from ilp_bench.core.errors import UsageError
from ilp_bench.data.dataset import Dataset
from ilp_bench.detectors.contradictions import find_contradictions
from ilp_bench.detectors.similarity import sentence_similarity, word_similarity
from ilp_bench.models.nano import nano_path

QUESTIONS = [
    "What is the register emblem of Texas?",
    "Name the emblem of Texas in the register.",
    "Who was Ada Lovelace?",
]


def test_words_find_what_is_nearly_the_same() -> None:
    assert list(word_similarity([*QUESTIONS, QUESTIONS[0]])) == [(0, 3)]


def test_a_sentence_encoder_does_too(mini: Dataset, tmp_path: Path) -> None:
    """An encoder made of nano's own weights, saved and loaded as any other."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    words = Transformer(str(nano_path()))
    SentenceTransformer(modules=[words, Pooling(words.get_embedding_dimension())], device="cpu").save(str(tmp_path))
    near = sentence_similarity(str(tmp_path))
    assert (0, 3) in list(near([*QUESTIONS, QUESTIONS[0]]))
    rows = mini.train.to_pylist()[-100:]
    assert find_contradictions(rows, near).same == find_contradictions(rows).same


def test_an_encoder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be loaded"):
        sentence_similarity(str(tmp_path / "none"))
