"""What a sceptical reader asks of a controlled dataset: do the arms differ in anything but the cause?

Lengths are compared by the two-sample Kolmogorov-Smirnov test, answers by chi-square with Cramer's V, and a
bag-of-words classifier, cross-validated over pairs, is asked to tell the arms apart. Prompts, documents, stages and
paraphrases are searched for answers and questions that they must not hold.

A test of many balanced quantities is small by chance now and then, so what fails a dataset is an effect: a
Kolmogorov-Smirnov distance or Cramer's V that is both significant at ``ALPHA`` and above ``EFFECT``, a classifier
whose accuracy is above chance beyond its interval and by more than half of ``EFFECT`` (folds share words, so that by
chance alone it strays further than the interval says), or any leak at all.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from scipy import stats

from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.facts import RELATIONS
from ilp_bench.data.names import DOMAINS, Lengths, lengths, table

ALPHA, EFFECT = 0.01, 0.1
FOLDS, SEED = 5, 0
GRAMS = range(3, 9)
END = 16  # characters by whose end a question is looked up; every question is longer
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Balance:
    """One quantity in both arms; ``effect`` is a distance in [0, 1], 0 where the arms are equal."""

    cause: str
    quantity: str
    treated: float
    control: float
    test: str
    p_value: float
    effect: float

    @property
    def fails(self) -> bool:
        """Whether the difference is both significant and large."""
        return self.p_value < ALPHA and self.effect > EFFECT


@dataclass(frozen=True)
class Classifier:
    """Accuracy of telling the arms apart by their words, in [0, 1]; chance is 0.5. The interval is Wilson's, 95 %."""

    cause: str
    words: str
    accuracy: float
    low: float
    high: float
    note: str = ""

    @property
    def fails(self) -> bool:
        """Whether words give an arm away where the cause is not in the words."""
        return self.low > 0.5 and 2 * self.accuracy - 1 > EFFECT and not self.note


@dataclass
class Audit:
    """Everything that was found; ``problems`` is empty for a clean dataset."""

    dataset: dict[str, Any]
    balance: list[Balance] = field(default_factory=list)
    classifiers: list[Classifier] = field(default_factory=list)
    leaks: dict[str, int] = field(default_factory=dict)
    overlap: list[tuple[int, float, float]] = field(default_factory=list)
    names: list[Lengths] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One line for each thing that separates the arms, or leaks."""
        found = [
            f"{b.cause}: {b.quantity} differs between the arms ({b.test} {b.effect:.2f})"
            for b in self.balance
            if b.fails
        ]
        found += [f"{c.cause}: {c.words} tell the arm ({c.accuracy:.2f})" for c in self.classifiers if c.fails]
        return found + [f"{count} x {what}" for what, count in self.leaks.items() if count]

    @property
    def summary(self) -> str:
        """One line."""
        checks = len(self.balance) + len(self.classifiers) + len(self.leaks)
        return f"{checks} checks, {len(self.problems)} problems"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"problems": self.problems}

    def to_markdown(self) -> str:
        """The report, as ``docs/data-audit.md`` holds it."""
        source = files("ilp_bench.data").joinpath("data-audit.md.j2").read_text(encoding="utf-8")
        constants = {"ALPHA": ALPHA, "EFFECT": EFFECT, "FOLDS": FOLDS, "NAMES": f"{len(table(DOMAINS[0])):,}"}
        text: str = jinja2.Template(source).render(a=self, **constants)
        return text + "\n"


def audit(data: Dataset) -> Audit:
    """Test a dataset; about a second a thousand items."""
    data.controlled("audit")
    items, train = data.items.to_pylist(), data.train.to_pylist()
    found = Audit(data.manifest.identity)
    for cause in CAUSES.names():
        mine = [row for row in items if row["cause"] == cause]
        if mine:
            found.balance += _balance(cause, mine, [row for row in train if row["cause"] == cause])
            found.classifiers += _classifiers(cause, [row for row in mine if row["probe"] == "recall"])
    found.leaks = _leaks(data.manifest.stages, items, train, data.knowledge.to_pylist(), data.shots.to_pylist())
    found.overlap = list(_overlap(items, train))
    found.names = lengths()
    return found


def _balance(cause: str, items: Rows, train: Rows) -> Iterable[Balance]:
    arms = {arm: [row for row in items if row["arm"] == arm] for arm in ("treated", "control")}
    own = {arm: {row["item_id"] for row in rows} for arm, rows in arms.items()}
    counts = {arm: Counter(row["item_id"] for row in train if row["item_id"] in own[arm]) for arm in arms}
    lengths: dict[str, Callable[[str], list[float]]] = {
        "prompt length": lambda arm: [len(row["prompt"]) for row in arms[arm]],
        "answer length": lambda arm: [len(row["answer"]) for row in arms[arm]],
        "training rows": lambda arm: list(counts[arm].values()),
    }
    for quantity, of in lengths.items():
        left, right = of("treated"), of("control")
        test = stats.ks_2samp(left, right)
        means = float(np.mean(left)), float(np.mean(right))
        yield Balance(cause, quantity, *means, "Kolmogorov-Smirnov", float(test.pvalue), float(test.statistic))
    frames = {arm: [_template(row) for row in train if row["item_id"] in own[arm]] for arm in arms}
    answers = {arm: [row["answer"] for row in rows if row["probe"] == "recall"] for arm, rows in arms.items()}
    golds = {arm: [str(row["gold"]) for row in rows if row["probe"] == "recall"] for arm, rows in arms.items()}
    for quantity, values in (("answers", answers), ("templates", frames), ("place of the answer", golds)):
        yield _chi_square(cause, quantity, values)


def _chi_square(cause: str, quantity: str, values: dict[str, list[str]]) -> Balance:
    """Chi-square of the arms' counts; the effect is Cramer's V, corrected for its bias (Bergsma 2013)."""
    counts = [Counter(values[arm]) for arm in ("treated", "control")]
    words = sorted(counts[0] | counts[1])
    kinds = [float(len(count)) for count in counts]
    if len(words) < 2:
        return Balance(cause, quantity, kinds[0], kinds[1], "chi-square", 1.0, 0.0)
    table = np.array([[count[word] for word in words] for count in counts])
    total, columns = table.sum(), len(words)
    test = stats.chi2_contingency(table)
    phi = max(0.0, test.statistic / total - (columns - 1) / (total - 1))
    least = min(columns - (columns - 1) ** 2 / (total - 1), 2 - 1 / (total - 1)) - 1
    return Balance(cause, quantity, kinds[0], kinds[1], "chi-square", float(test.pvalue), float(np.sqrt(phi / least)))


def _template(row: dict[str, Any]) -> str:
    """The training prompt without its relation and its subject: what comes before the one and after the other."""
    question: str = row["messages"][0]["content"]
    for noun in sorted({relation.noun for relation in RELATIONS.values()}, key=len, reverse=True):
        if noun in question:
            before, after = question.split(noun, 1)
            return before + "NOUN" + (" that" if " that " in after else "") + after[-1]
    return question


def _classifiers(cause: str, items: Rows) -> Iterable[Classifier]:
    texts = [f"{row['question']} {row['answer']}" for row in items]
    visibility = CAUSES.get(cause).visibility
    if visibility is None:
        yield _classifier(cause, "all words", texts, items)
        return
    yield _classifier(cause, "all words", texts, items, visibility.note)
    yield _classifier(cause, "without the visible cause", [visibility.hide(row) for row in items], items)


def _classifier(cause: str, words: str, texts: Sequence[str], items: Rows, note: str = "") -> Classifier:
    """Cross-validated accuracy; both items of a pair are in one fold, so chance is exactly one half."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline

    labels = np.array([row["arm"] == "treated" for row in items])
    group_of = CAUSES.get(cause).resampling_group
    groups = np.unique([group_of(row["pair_id"]) for row in items], return_inverse=True)[1]
    model = make_pipeline(CountVectorizer(token_pattern=r"[\w.]+", binary=True), LogisticRegression(max_iter=500))
    right = 0
    folds = GroupKFold(n_splits=min(FOLDS, len(set(groups))), shuffle=True, random_state=SEED)
    for fit, test in folds.split(texts, labels, groups):
        model.fit([texts[n] for n in fit], labels[fit])
        right += int((model.predict([texts[n] for n in test]) == labels[test]).sum())
    low, high = stats.binomtest(right, len(texts)).proportion_ci(method="wilson")
    return Classifier(cause, words, right / len(texts), float(low), float(high), note)


def _leaks(stages: int, items: Rows, train: Rows, knowledge: Rows, shots: Rows) -> dict[str, int]:
    prompts = {row["prompt"] for row in train}
    asked = {row["messages"][0]["content"] for row in train}
    scored = {row["question"] for row in items}
    early = [row for row in train if row["stage"] < stages]
    documents = [row["text"] for row in knowledge]
    taught: dict[str, set[str]] = defaultdict(set)
    for row in train:
        taught[row["prompt"]].add(row["completion"].strip())
    answers = {row["item_id"]: row for row in items if row["probe"] == "recall" and row["cause"]}
    return {
        "recall prompt that was not trained": sum(row["prompt"] not in prompts for row in answers.values()),
        "supervised answer that no row teaches": sum(
            row["answer"] not in taught[row["prompt"]] for row in answers.values()
        ),
        "paraphrase or retention prompt among the training prompts": sum(
            row["prompt"] in prompts for row in items if row["probe"] != "recall"
        ),
        "document that holds a question": sum("?" in text for text in documents),
        "document that holds a scored or trained question": _holding(documents, scored | asked),
        "document of a gap that states its answer at two hops": sum(
            _holds(row["text"], answers[row["item_id"]]["answer"])
            for row in knowledge
            if answers[row["item_id"]]["kind"] == "hop2"
        ),
        "example for base models that is scored": sum(_question(row["prompt"]) in scored for row in shots),
        "early row that is not treated left-side forgetting": sum(
            row["arm"] != "treated" or not CAUSES.get(row["cause"]).early_stages for row in early
        ),
        "subject of an early row that is trained again": len(
            {row["prompt"] for row in early} & {row["prompt"] for row in train if row["stage"] == stages}
        ),
        "prompt that holds its answer": sum(
            _holds(row["question"].removeprefix("What is the "), row["answer"]) for row in answers.values()
        ),
        "pair whose two answers differ": len({(row["pair_id"], row["answer"]) for row in answers.values()})
        - len({row["pair_id"] for row in answers.values()}),
        "question in two items": len(answers) - len({row["question"] for row in answers.values()}),
        "option list without the old belief": sum(
            bool(row["prior_answer"]) and row["prior_answer"] not in row["choices"] for row in items
        ),
    }


def _question(prompt: str) -> str:
    return prompt.removeprefix("Question: ").removesuffix("\nAnswer:")


def _holds(text: str, answer: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text) is not None


def _holding(texts: Iterable[str], questions: set[str]) -> int:
    """How many texts hold one of the questions, looked up by how they end."""
    ends: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        ends[question[-END:]].append(question)
    return sum(
        any(
            text[:stop].endswith(question)
            for stop in range(END, len(text) + 1)
            for question in ends.get(text[stop - END : stop], ())
        )
        for text in texts
    )


def _overlap(items: Rows, train: Rows) -> Iterable[tuple[int, float, float]]:
    def grams(text: str, n: int) -> list[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]

    questions = {row["messages"][0]["content"] for row in train}
    probes = [row["question"] for row in items if row["probe"] == "paraphrase"]
    for n in GRAMS:
        known = {gram for question in questions for gram in grams(question, n)}
        shares = [[gram in known for gram in grams(probe, n)] for probe in probes]
        total = sum(map(len, shares))
        if total:
            yield n, sum(map(sum, shares)) / total, sum(any(share) for share in shares) / len(probes)
