"""Coverage-guided fuzzing of everything that reads strangers' files; needs ``pip install 'ilp-bench[fuzz]'``.

    python tests/fuzz/run.py tests/fuzz/corpus -max_total_time=60

An input that is neither accepted nor clearly refused is saved as ``crash-...``; add it to the corpus with its mend.
"""

import sys

import atheris

with atheris.instrument_imports(include=["ilp_bench"]):
    from target import try_input


def one(data: bytes) -> None:
    """One input of the fuzzer."""
    try_input(data)


atheris.Setup(sys.argv, one)
atheris.Fuzz()
