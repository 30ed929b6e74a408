"""Which questions are nearly the same: by their words, or by a sentence encoder where one is given.

Words find candidates, and make no decision: most pairs that share rare words ask different things. How many is measured
by ``benchmarks/paraphrases.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ilp_bench.core.errors import UsageError
from ilp_bench.core.metrics import Array
from ilp_bench.detectors.words import similarity_terms

# From questions to the pairs (a, b), a < b, of positions of questions that are nearly the same.
Near = Callable[[Sequence[str]], Iterator[tuple[int, int]]]
# From texts to their sentence embeddings, rows of length 1.
Encoder = Callable[[Sequence[str]], Array]
CHUNK = 1000  # questions compared with all others at a time
# Cosines from which on two questions are nearly the same. In TF-IDF rare words, such as names, count most; sentence
# embeddings are closer to one another.
WORDS, SENTENCES = 0.6, 0.9
MOST = 20  # questions up to which a word of theirs is rare, so that comparing those with one another stays linear
RARE_WORDS = 0.3  # cosine of rare words from which on two questions are compared at all


def word_similarity(questions: Sequence[str]) -> Iterator[tuple[int, int]]:
    """By TF-IDF: needs no model."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    yield from _close(TfidfVectorizer(analyzer=similarity_terms).fit_transform(questions), WORDS)


class Candidates(NamedTuple):
    """Pairs that share rare terms.

    times   term -> number of texts with it, of the terms that at most ``MOST`` texts have
    pairs   positions a < b of texts
    """

    times: dict[str, int]
    pairs: list[tuple[int, int]]


def sharing_rare_terms(texts: Sequence[Sequence[str]]) -> Candidates:
    """Pairs of texts, given as terms, whose rare terms are alike by TF-IDF; in time linear in the texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    count = Counter(term for terms in texts for term in set(terms))
    rare = {term: number for term, number in count.items() if number <= MOST}
    if not rare:
        return Candidates(rare, [])
    vectors = TfidfVectorizer(analyzer=list, vocabulary=sorted(rare), lowercase=False, dtype=np.float32).fit_transform(
        texts
    )
    return Candidates(rare, list(_close(vectors, RARE_WORDS)))


def sentence_encoder(model: str) -> Encoder:
    """A sentence-transformers model (a folder or Hub id).

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

    def encode(texts: Sequence[str]) -> Array:
        return np.asarray(encoder.encode(list(texts), normalize_embeddings=True))

    return encode


def sentence_similarity(model: str) -> Near:
    """By a sentence-transformers model (a folder or Hub id), as in Xue et al. 2026, section 4.3.

    Raises UsageError when the package or the model cannot be had.
    """
    encode = sentence_encoder(model)

    def near(questions: Sequence[str]) -> Iterator[tuple[int, int]]:
        from scipy.sparse import csr_matrix

        yield from _close(csr_matrix(encode(questions)), SENTENCES)

    return near


def _close(vectors: Any, least: float) -> Iterator[tuple[int, int]]:
    """Pairs of unit rows of a sparse matrix whose cosine is at least ``least``."""
    for start in range(0, vectors.shape[0], CHUNK):
        cosines = (vectors[start : start + CHUNK] @ vectors.T).tocoo()
        near = cosines.data >= least
        for a, b in zip((cosines.row[near] + start).tolist(), cosines.col[near].tolist(), strict=True):
            if a < b:
                yield a, b
