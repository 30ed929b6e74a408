"""The quickstart phase by phase, in a fresh folder: prints JSON with seconds per phase. Goal: 360 s in all."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

from ilp_bench.cli.quickstart import quickstart

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        report = quickstart(Path(folder) / "out", as_json=True)
    seconds = report["seconds"]
    print(json.dumps({"phases": seconds, "total_s": round(sum(seconds.values()), 2)}))
