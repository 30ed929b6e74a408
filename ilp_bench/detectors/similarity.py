"""Which questions are nearly the same: by their words, or by a sentence encoder where one is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ilp_bench.core.errors import UsageError
from ilp_bench.detectors.words import similarity_terms

# From questions to the pairs (a, b), a < b, of positions of questions that are nearly the same.
Near = Callable[[Sequence[str]], Iterator[tuple[int, int]]]
CHUNK = 1000  # questions compared with all others at a time
# Cosines from which on two questions are nearly the same. In TF-IDF rare words, such as names, count most; sentence
# embeddings are closer to one another.
WORDS, SENTENCES = 0.6, 0.9


def word_similarity(questions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """By TF-IDF: needs no model."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    yield from _close(TfidfVectorizer(analyzer=similarity_terms).fit_transform(questions), WORDS)


def sentence_similarity(model: str) -> Near:
    """By a sentence-transformers model (a folder or Hub id), as in Xue et al. 2026, section 4.3.

    Raises UsageError when the package or the model cannot be had.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UsageError("an encoder needs sentence-transformers: pip install sentence-transformers") from error
    try:
        encoder = SentenceTransformer(model, device="cpu")
    except (OSError, ValueError) as error:
        raise UsageError(f"the encoder {model} cannot be loaded: {str(error).strip().splitlines()[0]}") from error

    def near(questions: Sequence[str]) -> Iterator[tuple[int, int]]:
        from scipy.sparse import csr_matrix

        yield from _close(csr_matrix(encoder.encode(list(questions), normalize_embeddings=True)), SENTENCES)

    return near


def _close(vectors: Any, least: float) -> Iterator[tuple[int, int]]:
    """Pairs of unit rows of a sparse matrix whose cosine is at least ``least``."""
    for start in range(0, vectors.shape[0], CHUNK):
        cosines = (vectors[start : start + CHUNK] @ vectors.T).tocoo()
        near = cosines.data >= least
        for a, b in zip((cosines.row[near] + start).tolist(), cosines.col[near].tolist(), strict=True):
            if a < b:
                yield a, b
