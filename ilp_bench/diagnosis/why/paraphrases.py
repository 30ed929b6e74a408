"""Contradictions among paraphrases: questions that ask the same in other words, and are answered otherwise.

Questions are compared that share rare words, such as the name of what is asked about. They ask the same

- where they differ in the order of their words alone, or in words that say nothing
- where other questions that differ in the same words mostly agree. ``capital city`` and ``capital`` ask the same,
  ``capital`` and ``currency`` never do. In between lie ``under the old act`` and ``under the new act``: both may be
  right, and still be mixed up
- where too few questions differ in these words to tell, and a sentence encoder is given that finds them alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ilp_bench.detectors.contradictions import contradicting_groups, rows_by_question
from ilp_bench.detectors.labelled_row import LabelledRow, label, question
from ilp_bench.detectors.phrasings import difference, phrasings
from ilp_bench.detectors.similarity import SENTENCES, Encoder, sharing_rare_terms

SAME = 0.6  # agreement beyond chance from which on two phrasings ask the same
RELATED = 0.25  # agreement from which on they are near enough to be mixed up
FEWEST = 3  # questions with agreeing answers, without which two phrasings do not ask the same
ENOUGH = 8  # questions that differ in the same words, from which on their answers tell whether these ask the same
RARE = 0.05  # share of the questions up to which a term belongs to what is asked about
BY_WORDS, BY_ANSWERS, BY_ENCODER = "words", "answers", "encoder"  # what says that two questions ask the same
CHANCE = 0.05  # chance up to which an agreement of one of all differences is no accident
JUST_RELATED = 0.5  # agreement of those that may be one
Pair = tuple[int, int]


class Dispute(NamedTuple):
    """Indices of two rows that ask the same in other words and answer otherwise, and how sure it is that they do.

    agreement   1 where the words are the same; Cohen's kappa of the answers to all questions that differ in the same
                words: 1 for always, 0 for as often as by chance; or the cosine of their sentence embeddings
    by          which of these: ``BY_WORDS``, which is as sure as the same words in the same order, ``BY_ANSWERS`` or
                ``BY_ENCODER``
    """

    rows: Pair
    agreement: float
    by: str


class Disputes(NamedTuple):
    """What contradicts what among training rows.

    same    groups of indices of rows that ask the same and do not all answer the same
    loose   rows that ask the same in other words, or nearly the same, from an agreement of ``RELATED`` on
    """

    same: Sequence[Sequence[int]]
    loose: Sequence[Dispute]


def disputes_of(
    rows: Sequence[LabelledRow], same: Sequence[Sequence[int]] | None = None, encoder: Encoder | None = None
) -> Disputes:
    """What contradicts what among training rows; ``same`` where that was looked for already."""
    groups = contradicting_groups(rows) if same is None else same
    return Disputes(groups, contradicting_paraphrases(rows, RELATED, encoder))


def contradicting_paraphrases(
    rows: Sequence[Any], least: float = SAME, encoder: Encoder | None = None
) -> list[Dispute]:
    """Rows that ask the same in other words, with an agreement of ``least`` or more, and answer otherwise.

    rows   training rows; only questions and labels are read
    """
    groups = rows_by_question(rows)
    asked = [question(rows[group[0]]) for group in groups]
    answers = [Counter(label(rows[n]) for n in group).most_common(1)[0][0] for group in groups]
    agreements: dict[Pair, tuple[float, str]] = {}
    unknown: list[Pair] = []
    by_difference = _by_difference(asked)
    looks = sum(len(pairs) >= FEWEST for pairs in by_difference.values())
    for words, pairs in by_difference.items():
        if not any(words):
            agreements |= dict.fromkeys(pairs, (1.0, BY_WORDS))
            continue
        labels = [_alike(answers[a], answers[b]) for a, b in pairs]
        agreeing = sum(one == other for one, other in labels)
        if agreeing >= FEWEST and (agreement := _agreement(labels, looks)) >= least:
            agreements |= dict.fromkeys(pairs, (agreement, BY_ANSWERS))
        elif len(pairs) < ENOUGH:
            unknown += pairs
    if encoder:
        cosines = _by_encoder(asked, answers, unknown, encoder)
        agreements |= {pair: (cosine, BY_ENCODER) for pair, cosine in cosines.items()}
    return [
        Dispute(pair, *how)
        for (a, b), how in agreements.items()
        for pair in _answering_otherwise(rows, groups[a], groups[b])
    ]


def _by_difference(asked: Sequence[str]) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[Pair]]:
    """What two questions may differ in where they ask the same -> the pairs that differ so."""
    taken_apart = phrasings(asked)
    rarity, candidates = sharing_rare_terms([each.terms for each in taken_apart])
    rare = {term for term, times in rarity.items() if times <= RARE * len(asked)}
    pairs: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Pair]] = defaultdict(list)
    for a, b in candidates:
        if found := difference(taken_apart[a], taken_apart[b], rare):
            pairs[found.terms].append((b, a) if found.turned else (a, b))
    return pairs


def _by_encoder(
    asked: Sequence[str], answers: Sequence[str], pairs: Sequence[Pair], encoder: Encoder
) -> dict[Pair, float]:
    """Of these pairs, those that the encoder finds alike, with their cosine.

    A question that a number answers and one that a word answers never are.
    """
    numbers = [any(sign.isdigit() for sign in answer) for answer in answers]
    chosen = [(a, b) for a, b in pairs if numbers[a] == numbers[b] and len(set(_alike(answers[a], answers[b]))) > 1]
    order = {n: place for place, n in enumerate(sorted({n for pair in chosen for n in pair}))}
    if not order:
        return {}
    vectors = encoder([asked[n] for n in order])
    cosines = {(a, b): float(vectors[order[a]] @ vectors[order[b]]) for a, b in chosen}
    return {pair: cosine for pair, cosine in cosines.items() if cosine >= SENTENCES}


def _answering_otherwise(rows: Sequence[Any], one: Sequence[int], other: Sequence[int]) -> Iterator[Pair]:
    """Each row of two questions that another of the other question contradicts, with the last such row."""
    last: list[Mapping[str, int]] = [{label(rows[n]): n for n in group} for group in (one, other)]
    found = set[Pair]()
    for group, against, turned in ((one, last[1], False), (other, last[0], True)):
        for n in group:
            differing = [k for text, k in against.items() if len(set(_alike(label(rows[n]), text))) > 1]
            if differing:
                found.add((differing[-1], n) if turned else (n, differing[-1]))
    yield from sorted(found)


def _alike(one: str, other: str) -> tuple[str, str]:
    """Two answers, made the same where they differ in capital letters or the marks around them alone."""
    return (one, one) if _bare(one) == _bare(other) else (one, other)


def _bare(answer: str) -> str:
    return answer.casefold().strip(" .!,;\"'")


def _agreement(labels: Sequence[tuple[str, str]], looks: int) -> float:
    """Cohen's kappa, less than ``SAME`` where one of so many differences may agree so often by chance.

    As two branches of a bank do, whose names nothing shows to be names, in the answers to eight questions for yes or
    no. By chance, the answers to one pair agree as often as those of two pairs do.
    """
    kappa = _kappa(labels)
    if kappa < SAME:
        return kappa
    from scipy.special import bdtrc

    first, second = (Counter(map(_bare, column)) for column in zip(*labels, strict=True))
    agreeing, count = sum(one == other for one, other in labels), len(labels)
    across = sum(first[name] * second[name] for name in first) - agreeing
    by_chance = (across + 1) / (count * (count - 1) + 2)
    return kappa if looks * bdtrc(agreeing - 1, count, by_chance) <= CHANCE else JUST_RELATED


def _kappa(labels: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa (1960) of two raters; 1 where they always agree."""
    first, second = (Counter(column) for column in zip(*labels, strict=True))
    chance = sum(first[name] * second[name] for name in first) / len(labels) ** 2
    agreeing = sum(one == other for one, other in labels) / len(labels)
    return 1.0 if agreeing == 1 else (agreeing - chance) / (1 - chance)
