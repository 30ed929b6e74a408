"""The public Python interface: the verbs of the command line, as functions.

    >>> import ilp_bench
    >>> data = ilp_bench.build("mini", seed=0, out="DATA")
    >>> base = ilp_bench.evaluate("nano", data, "runs/base")
    >>> ilp_bench.train("nano", "vanilla", data, "checkpoints/vanilla")
    >>> vanilla = ilp_bench.evaluate("checkpoints/vanilla", data, "runs/vanilla")

Paths may be strings. torch, transformers and lm-eval are imported by the functions that need them, when they are
called. Every error is an :class:`~ilp_bench.core.errors.IlpBenchError` of one line: ``UsageError`` where the call
cannot be carried out as given, ``ProblemError`` where a file is damaged or a check fails.
"""

from ilp_bench.api.data import build, export, import_rows, load, load_dataset
from ilp_bench.api.models import evaluate, evaluate_model, load_run, train
from ilp_bench.api.results import diagnose, diagnose_rows, render, score, submit, validate

__all__ = [
    "build",
    "diagnose",
    "diagnose_rows",
    "evaluate",
    "evaluate_model",
    "export",
    "import_rows",
    "load",
    "load_dataset",
    "load_run",
    "render",
    "score",
    "submit",
    "train",
    "validate",
]
