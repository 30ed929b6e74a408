"""How sure is each reason? python benchmarks/diagnosis_confidence.py FOLDER [--write]

Trains nano on the rows of mini, stage after stage as vanilla does, with ``LearnedRates`` beside it; takes the rows as
if they were a user's, diagnoses the model, and counts, for each sign, of how many unlearned rows that have it the
injected cause is the one it speaks for. Data seeds 0 and 1 are summed; seed 2 shows whether the shares hold for a run
that they were not made from. Rows of decoys and calibration items have no injected cause and do not count. Prints JSON;
``--write`` also writes the sums to ``ilp_bench/diagnosis/why/confidences.json``, which every report reads. FOLDER keeps
models and runs, so that the same call goes on after a kill.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from datasets import Dataset as TrainerRows
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from ilp_bench import LearnedRates
from ilp_bench.data.dataset import Dataset, make, write
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.asking.training_curve import in_training
from ilp_bench.diagnosis.asking.whole_rows import context_lengths
from ilp_bench.diagnosis.rows import row_results
from ilp_bench.diagnosis.why import reasons
from ilp_bench.diagnosis.why.paraphrases import disputes_of
from ilp_bench.evaluation.run import evaluate
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run, read_run

BASE, SEEDS, LEFT_OUT = "nano", (0, 1), 2
EPOCHS, BATCH, RATE = 2, 16, 2e-4  # of each stage
EVERY = 40  # steps between two measurements of all rows
Counts = Counter[tuple[str, bool]]


def trained(data: Dataset, file: Path, out: Path) -> Path:
    """Nano, trained on the rows of each stage for ``EPOCHS``; its folder has ``learned_rates.jsonl``."""
    if (out / "config.json").is_file():
        return out
    rows: list[dict[str, Any]] = []
    for stage in sorted(set(data.train["stage"].to_pylist())):
        of_stage = TrainerRows(data.train).select_columns(["prompt", "completion", "stage"])
        of_stage = of_stage.filter(lambda row, wanted=stage: row["stage"] == wanted).remove_columns("stage")
        for epoch in range(EPOCHS):
            rows += of_stage.shuffle(seed=epoch).to_list()
    asked = import_rows(file)
    source = locate(BASE).folder
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(source),
        args=SFTConfig(
            output_dir=str(out),
            max_steps=len(rows) // BATCH,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            seed=0,
        ),
        train_dataset=TrainerRows.from_list(rows).to_iterable_dataset(),  # in this order
        processing_class=AutoTokenizer.from_pretrained(source),
        callbacks=[LearnedRates(asked, every=EVERY, sample=asked.items.num_rows)],
    )
    trainer.train()
    trainer.save_model(str(out))
    return out


def run_of(model: str, data: Dataset, out: Path, *, probe_base: bool) -> Run:
    """The run of a model, from its folder where it is done."""
    run = read_run(out) if (out / "run.json").is_file() else evaluate(model, data, out, probe_base=probe_base)
    if run is None:
        raise SystemExit("run this in one process")
    return run


def counts(seed: int, work: Path) -> Counts:
    """(Sign, whether the injected cause is its cause) -> unlearned rows; sign ``none`` for rows without any."""
    controlled = make("mini", seed)
    if not (work / "data").is_dir():
        write(controlled, work / "data")
    file = work / "data" / "train.parquet"
    tuned = trained(controlled, file, work / "tuned")
    truth = {
        (row["prompt"], row["completion"].strip()): row["cause"] if row["arm"] == "treated" else None
        for row in controlled.train.to_pylist()
        if row["arm"] in ("treated", "control")
    }
    data = import_rows(file)
    run = run_of(str(tuned), data, work / "run", probe_base=False)
    base = run_of(BASE, data, work / "base", probe_base=True)
    results = row_results(data, run, context_lengths(str(tuned), None, data))
    best = in_training(tuned, {each.item_id: each.answer for each in results}).best
    for each in results:
        each.best_in_training, each.best_step = best.get(each.item_id, (None, None))
    reasons.explain(results, run, base, data, disputes_of(data.train_rows()))
    prompts = {item["item_id"]: (item["prompt"], item["answer"]) for item in data.items.to_pylist()}
    counted: Counts = Counter()
    for each in results:
        if each.learned or prompts[each.item_id] not in truth:
            continue
        true = truth[prompts[each.item_id]]
        counted.update((reason.sign, reason.cause == true) for reason in each.reasons)
        if not each.reasons:
            counted["none", true is None] += 1
    return counted


def shares(counted: Counts) -> dict[str, dict[str, float]]:
    """Sign -> share that is right, with one right and one wrong row added, and how many rows there are."""
    signs = sorted({sign for sign, _ in counted})
    number = {sign: counted[sign, True] + counted[sign, False] for sign in signs}
    return {
        sign: {"right": round((counted[sign, True] + 1) / (number[sign] + 2), 3), "rows": number[sign]}
        for sign in signs
    }


def main(folder: Path, *, write_file: bool) -> None:
    by_seed = {}
    for seed in (*SEEDS, LEFT_OUT):
        (folder / f"seed-{seed}").mkdir(parents=True, exist_ok=True)
        by_seed[seed] = counts(seed, folder / f"seed-{seed}")
        print(json.dumps({"seed": seed, "signs": shares(by_seed[seed])}), flush=True)
    fitted = shares(sum((by_seed[seed] for seed in SEEDS), Counter()))
    print(json.dumps({"fitted": fitted}))
    if write_file:
        content = {"runs": [f"{BASE}, mini, data seed {seed}" for seed in SEEDS], "signs": fitted}
        reasons.CONFIDENCES.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(next(word for word in sys.argv[1:] if word != "--write")), write_file="--write" in sys.argv)
