"""Probes and metrics of ILP-Bench for plain lm-eval: nothing but the standard library is imported.

p = P(answer and newline | prompt), one loglikelihood request a probe. ``gap`` is the mean p of the control arm minus
that of the treated arm, over matched pairs.
"""

import math
from collections import defaultdict
from statistics import fmean


def recall(dataset):
    """The trained prompts of both arms."""
    return dataset.filter(lambda row: row["probe"] == "recall" and row["arm"] in ("treated", "control"))


def paraphrase(dataset):
    """Prompts of both arms that were never trained."""
    return dataset.filter(lambda row: row["probe"] == "paraphrase" and row["arm"] in ("treated", "control"))


def doc_to_target(doc):
    """The completion as it was trained."""
    return f" {doc['answer']}\n"


def process_results(doc, results):
    """p and whether the answer is the greedy one; NaN for the other arm; what the gap is made of."""
    logprob, greedy = results[0]
    p = math.exp(min(logprob, 0.0))
    arms = {f"p_{arm}": p if doc["arm"] == arm else math.nan for arm in ("treated", "control")}
    probe = (doc["pair_id"], doc["arm"], p)
    return {"p": p, "greedy": float(greedy), "gap": probe, "gap_stderr": probe} | arms


def nanmean(values):
    """The mean of the values that are not NaN."""
    return fmean([value for value in values if not math.isnan(value)] or [math.nan])


def gap(probes):
    """Mean p of the control arm minus that of the treated arm."""
    return fmean(_differences(probes) or [math.nan])


def gap_stderr(probes):
    """Standard error of the gap over pairs."""
    differences = _differences(probes)
    if len(differences) < 2:
        return math.nan
    mean = fmean(differences)
    variance = sum((difference - mean) ** 2 for difference in differences) / (len(differences) - 1)
    return math.sqrt(variance / len(differences))


def _differences(probes):
    pairs = defaultdict(lambda: defaultdict(list))
    for pair, arm, p in probes:
        pairs[pair][arm].append(p)
    return [fmean(arms["control"]) - fmean(arms["treated"]) for arms in pairs.values() if len(arms) == 2]
