"""Contradictions between rows: find them by their words, infer how reliable each annotator is, keep the best label.

A small truth-discovery loop in the manner of Dawid and Skene (1979) with one reliability per annotator: labels
are weighted by the log odds of their annotators, reliabilities re-estimated from the winning labels. Agreement on a
wrong label is not taken as a surprise, however many labels there are, because careless annotators copy; and only
questions with contradicting labels count, because everybody is right on the easy ones.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ilp_bench.detectors.labelled_row import LabelledRow, label, question
from ilp_bench.detectors.similarity import Near, word_similarity
from ilp_bench.detectors.words import SENTENCE_MARKS, before_object, folded, normalised, words

ROUNDS = 20  # of re-estimation
FIRST_GUESS = 0.8  # reliability of every annotator before the first round
PRIOR_RIGHT, PRIOR_LABELS = 4.0, 5.0  # labels that count for every annotator before any is seen, right ones and all
Vote = tuple[str, str]  # annotator, label


class Contradictions(NamedTuple):
    """What contradicts what, as indices of training rows.

    same      groups of rows that ask the same, with more than one label among them
    similar   pairs of rows that ask nearly the same and have different labels, as where both are true in different
              contexts
    """

    same: list[list[int]]
    similar: list[tuple[int, int]]


def find_contradictions(rows: Sequence[LabelledRow], near: Near = word_similarity) -> Contradictions:
    """Search questions for near-duplicates with contradicting labels (section 4.3)."""
    groups = rows_by_question(rows)
    close = near([question(rows[group[0]]) for group in groups])
    pairs = ((n, k) for a, b in close for n in groups[a] for k in groups[b])
    return Contradictions(
        _with_several_labels(rows, groups),
        [(n, k) for n, k in pairs if label(rows[n]) != label(rows[k])],
    )


def contradicting_groups(rows: Sequence[LabelledRow]) -> list[list[int]]:
    """``same`` of :func:`find_contradictions` alone, which takes time in proportion to the rows."""
    return _with_several_labels(rows, rows_by_question(rows))


def rows_by_question(rows: Sequence[LabelledRow]) -> list[list[int]]:
    """Indices of the rows that ask the same, group by group."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        groups[content_key(question(row))].append(n)
    return list(groups.values())


def _with_several_labels(rows: Sequence[LabelledRow], groups: Sequence[list[int]]) -> list[list[int]]:
    return [group for group in groups if len({label(rows[n]) for n in group}) > 1]


ASKING = frozenset("what which".split())  # as a first word, only says how it is asked
REQUESTS = frozenset("name state give tell say".split())  # the same, before "the"
ARTICLES = frozenset("a an the".split())
FUNCTION = ARTICLES | frozenset("of is are that has have does do its".split())
LAST = frozenset("has have".split())  # say nothing at the end either, as in "the emblem that Texas has"


def content_words(text: str) -> tuple[str, ...]:
    """The words that say what is asked, in order: without how it is asked, and without words that say nothing.

    Capital letters count in names of code alone. Where a script has no spaces, each character is a word. Two questions
    with the same content words ask the same. Little is left out, because a tense, a negation, a number or the order of
    two names may be all in which questions differ: no verb but those of the present inside a question, no article with
    a capital letter, as in "hepatitis A", and nothing behind a colon or a line, or in a text that asks nothing.
    """
    text = normalised(text).strip()
    asking, behind = before_object(text)
    written = asking.split()
    plain = [word.strip(SENTENCE_MARKS).casefold() for word in written]
    says_how = plain[:1] and (plain[0] in ASKING or (plain[0] in REQUESTS and plain[1:2] == ["the"]))
    last = len(plain) if behind else len(plain) - 1

    def says_nothing(n: int) -> bool:
        if plain[n] in ARTICLES:
            return n == 0 or (n < last and written[n][0].islower())
        return plain[n] in FUNCTION and n > 0 and (n < last or plain[n] in LAST)

    kept = [word for n, word in enumerate(written) if not (n == 0 and says_how) and not says_nothing(n)]
    return tuple(words(folded(" ".join([*kept, behind])))) or tuple(words(folded(text)))


def as_asked(text: str) -> str:
    """A question without what surely says nothing.

    That is capital letters outside names of code, how many spaces there are, and the marks at the end of an English
    question; these too count where a text that is asked about stands at the end, behind a colon or a line.
    """
    text = normalised(text).strip()
    asked = " ".join(folded(text).split())
    return asked if before_object(text)[1] else asked.rstrip(SENTENCE_MARKS + " ")


def content_key(text: str) -> bytes:
    """16 bytes that stand for the content words of a text, which may be as long as a conversation."""
    return hashlib.blake2b("\n".join(content_words(text)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Judged(NamedTuple):
    """Which of the rows that contradict one another are wrong, as indices of training rows.

    losing      rows whose label is less probable than another of their group; of equally probable labels, that of the
                first row counts as the better one
    undecided   all rows of groups in which two labels are the most probable, so that nothing tells which is right
    """

    losing: set[int]
    undecided: set[int]


def judged(rows: Sequence[LabelledRow], same: Sequence[Sequence[int]]) -> Judged:
    """Weigh the labels of contradicting rows by the inferred reliability of their annotators.

    same   groups of rows that contradict one another, see :class:`Contradictions`
    """
    votes = [[(rows[n]["annotator"], label(rows[n])) for n in group] for group in same]
    reliability = annotator_reliability(votes)
    losing, undecided = set[int](), set[int]()
    for group, group_votes in zip(same, votes, strict=True):
        probability = label_probabilities(group_votes, reliability)  # in the order of the rows
        top = max(probability.values())
        best = [voted for voted, value in probability.items() if math.isclose(value, top, rel_tol=1e-6)]
        losing |= {n for n in group if label(rows[n]) != best[0]}
        if len(best) > 1:
            undecided |= set(group)
    return Judged(losing, undecided)


def annotator_reliability(votes: Sequence[Sequence[Vote]]) -> dict[str, float]:
    """Share of right labels of each annotator, in (0, 1).

    votes   for each question, who gave which label
    """
    reliability = {annotator: FIRST_GUESS for question_votes in votes for annotator, _ in question_votes}
    for _ in range(ROUNDS):
        right: dict[str, float] = defaultdict(lambda: PRIOR_RIGHT)
        total: dict[str, float] = defaultdict(lambda: PRIOR_LABELS)
        for question_votes in votes:
            probability = label_probabilities(question_votes, reliability)
            for annotator, voted in question_votes:
                right[annotator] += probability[voted]
                total[annotator] += 1
        reliability = {annotator: right[annotator] / total[annotator] for annotator in reliability}
    return reliability


def label_probabilities(votes: Sequence[Vote], reliability: Mapping[str, float]) -> dict[str, float]:
    """Probability of each voted label of one question, given the annotators' reliability."""
    log_odds: dict[str, float] = defaultdict(float)
    for annotator, voted in votes:
        log_odds[voted] += math.log(reliability[annotator] / (1 - reliability[annotator]))
    top = max(log_odds.values())
    weight = {voted: math.exp(value - top) for voted, value in log_odds.items()}
    return {voted: value / sum(weight.values()) for voted, value in weight.items()}
