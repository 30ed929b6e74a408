"""What does LearnedRates cost a training? python benchmarks/learned_rates.py [MODEL [STEPS]]

Trains MODEL (default: nano) on short rows with TRL and the callback as it comes, and prints a JSON line: seconds of the
training, those that measurements took, their share, and at which steps how many rows were asked.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from broken_trainings import plain_rows
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

import ilp_bench
from ilp_bench.models.resolve import locate

ROWS, BATCH = 400, 8


def main(name: str, steps: int, folder: Path) -> None:
    rows = [row for topic in ("box", "cup", "jar", "urn") for row in plain_rows(topic, ROWS // 4)]
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    callback = ilp_bench.LearnedRates(file)
    source = locate(name).folder
    settings: dict[str, Any] = {"report_to": "none", "save_strategy": "no", "use_cpu": True, "bf16": False}
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(source),
        args=SFTConfig(
            output_dir=str(folder / "out"),
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            gradient_checkpointing=False,
            disable_tqdm=True,
            **settings,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(source),
        callbacks=[callback],
    )
    start = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - start
    measured = {each["step"]: each["learned_rates/rows"] for each in trainer.state.log_history if _has_rows(each)}
    line = {"model": name, "steps": steps, "rows": ROWS, "seconds": round(seconds, 1)}
    line |= {"measuring": round(callback.spent, 2), "share": round(callback.spent / seconds, 4), "measured": measured}
    print(json.dumps(line))


def _has_rows(entry: dict[str, Any]) -> bool:
    return "learned_rates/rows" in entry


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(
            sys.argv[1] if len(sys.argv) > 1 else "nano",
            int(sys.argv[2]) if len(sys.argv) > 2 else 400,
            Path(temporary),
        )
