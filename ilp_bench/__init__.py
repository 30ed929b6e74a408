"""ILP-Bench: how much of what you fine-tuned on did your model learn, and why not the rest?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ilp_bench.api import (
        build,
        diagnose,
        diagnose_rows,
        evaluate,
        evaluate_model,
        export,
        import_rows,
        load,
        load_dataset,
        load_run,
        render,
        score,
        submit,
        train,
        validate,
    )
    from ilp_bench.core.errors import IlpBenchError, ProblemError, UsageError
    from ilp_bench.data.dataset import Dataset
    from ilp_bench.diagnosis.in_training import LearnedRates
    from ilp_bench.records.run_record import Run

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "IlpBenchError",
    "LearnedRates",
    "ProblemError",
    "Run",
    "UsageError",
    "__version__",
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
_MODULES = {
    "Dataset": "ilp_bench.data.dataset",
    "LearnedRates": "ilp_bench.diagnosis.in_training",
    "Run": "ilp_bench.records.run_record",
    **dict.fromkeys(("IlpBenchError", "ProblemError", "UsageError"), "ilp_bench.core.errors"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: most commands need neither torch nor ``datasets``."""
    if name in __all__:
        return getattr(import_module(_MODULES.get(name, "ilp_bench.api")), name)
    raise AttributeError(f"module 'ilp_bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
