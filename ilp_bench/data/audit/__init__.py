"""What a sceptical reader asks of a controlled dataset: do the arms differ in anything but the cause?

Lengths are compared by the two-sample Kolmogorov-Smirnov test, answers by chi-square with Cramer's V, and a classifier
on words and plain features, cross-validated over pairs, is asked to tell the arms apart. Prompts, documents, stages and
paraphrases are searched for answers and questions that they must not hold, and facts for those that are wrong.

A test of many balanced quantities is small by chance now and then, so what fails a dataset is an effect: a
Kolmogorov-Smirnov distance or Cramer's V that is both significant at ``ALPHA`` and above ``EFFECT``, a classifier
whose accuracy is above chance beyond its interval and by more than half of ``EFFECT`` (folds share words, so that by
chance alone it strays further than the interval says), or any leak at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import Any

import jinja2

from ilp_bench.data.audit.balance import ALPHA, EFFECT, Balance, compare_arms
from ilp_bench.data.audit.classifier import FOLDS, Classifier, train_classifiers
from ilp_bench.data.audit.leaks import count_leaks, ngram_overlap
from ilp_bench.data.audit.signs import FEWEST, Sign, count_signs
from ilp_bench.data.audit.wrong_facts import fact_problems
from ilp_bench.data.causes import CAUSES
from ilp_bench.data.dataset import Dataset
from ilp_bench.data.names import DOMAINS, Lengths, lengths, table
from ilp_bench.data.settings import Settings


@dataclass
class Audit:
    """The results of all checks; ``problems`` is empty for a clean dataset.

    dataset       which dataset it is
    balance       quantities that must be equal in both arms
    classifiers   how well words tell the arm
    leaks         what must not be, and how often it is
    overlap       of the paraphrase probes with the training questions, see :func:`~.leaks.ngram_overlap`
    names         lengths of invented names beside real ones
    signs         how often the signs of each cause stand on other items
    """

    dataset: dict[str, Any]
    balance: list[Balance] = field(default_factory=list)
    classifiers: list[Classifier] = field(default_factory=list)
    leaks: dict[str, int] = field(default_factory=dict)
    overlap: list[tuple[int, float, float]] = field(default_factory=list)
    names: list[Lengths] = field(default_factory=list)
    signs: list[Sign] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One line for each thing that separates the arms, or leaks."""
        return [
            *(
                f"{b.cause}: {b.quantity} differs between the arms ({b.test} {b.effect:.2f})"
                for b in self.balance
                if b.fails
            ),
            *(f"{c.cause}: {c.words} tell the arm ({c.accuracy:.2f})" for c in self.classifiers if c.fails),
            *(f"{s.cause}: {s.sign} is on {s.others} other items only" for s in self.signs if s.fails),
            *(f"{count} x {leak}" for leak, count in self.leaks.items() if count),
        ]

    @property
    def summary(self) -> str:
        """The number of checks and of problems, for one line of output."""
        checks = len(self.balance) + len(self.classifiers) + len(self.signs) + len(self.leaks)
        return f"{checks} checks, {len(self.problems)} problems"

    def to_json(self) -> dict[str, Any]:
        """All results and the problems, as plain values."""
        return asdict(self) | {"problems": self.problems}

    def to_markdown(self) -> str:
        """The report, as ``docs/data-audit.md`` holds it."""
        source = files("ilp_bench.data.audit").joinpath("data-audit.md.j2").read_text(encoding="utf-8")
        constants = {
            "ALPHA": ALPHA,
            "FEWEST": FEWEST,
            "EFFECT": EFFECT,
            "FOLDS": FOLDS,
            "NAMES": f"{len(table(DOMAINS[0])):,}",
        }
        text: str = jinja2.Template(source).render(a=self, **constants)
        return text + "\n"


def audit(data: Dataset) -> Audit:
    """Test a controlled dataset; takes about a second a thousand items. Raises UsageError for user data."""
    items, train = data.controlled("audit").item_rows(), data.train_rows()
    recall = [row for row in items if row["probe"] == "recall"]
    labels: dict[str, list[str]] = {row["item_id"]: [] for row in recall}
    for row in train:
        labels.setdefault(row["item_id"], []).append(row["completion"])
    documented = frozenset(data.knowledge["item_id"].to_pylist())
    report = Audit(
        data.manifest.identity,
        leaks=count_leaks(data) | fact_problems(items, wide=Settings(data.manifest.size).wide),
        overlap=list(ngram_overlap(items, train)),
        names=lengths(),
        signs=count_signs(recall, labels, documented, data.manifest.stages),
    )
    for cause in CAUSES.names():
        if probes := [row for row in items if row["cause"] == cause and row["pair_id"]]:
            report.balance += compare_arms(cause, probes, [row for row in train if row["cause"] == cause])
            asked = [row for row in probes if row["probe"] == "recall"]
            report.classifiers += train_classifiers(cause, asked, {k: len(v) for k, v in labels.items()}, documented)
    return report
