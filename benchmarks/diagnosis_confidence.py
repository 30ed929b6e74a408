"""How sure is each reason? python benchmarks/diagnosis_confidence.py FOLDER [SEED ...] [--write]

Trains nano on the rows of mini, stage after stage as vanilla does, once as they are, with ``LearnedRates`` beside it,
and once with contradictions in other words; takes the rows as if they were a user's, diagnoses the models, and
counts, for each sign, of how many unlearned rows that have it the injected cause is the one it speaks for. Of several
data seeds (default: 0, 1 and 2) the last is left out of the sums, and shows whether the shares hold for runs that
they were not made from. Rows of decoys and calibration items have no injected cause and do not count. Prints JSON;
``--write`` also writes the sums to ``ilp_bench/diagnosis/why/confidences.json``, which every report reads. FOLDER
keeps models and runs, so that the same call goes on after a kill.
"""

import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset as TrainerRows
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import SFTConfig, SFTTrainer

from ilp_bench import LearnedRates
from ilp_bench.data.causes.data_inconsistency import NAME
from ilp_bench.data.dataset import Dataset, make
from ilp_bench.data.user_data import import_rows
from ilp_bench.diagnosis.asking.training_curve import in_training
from ilp_bench.diagnosis.asking.whole_rows import token_counts
from ilp_bench.diagnosis.rows import row_results
from ilp_bench.diagnosis.why import reasons
from ilp_bench.diagnosis.why.paraphrases import disputes_of
from ilp_bench.diagnosis.why.signs import LOST
from ilp_bench.evaluation.run import evaluate
from ilp_bench.models.loading import load_tokenizer
from ilp_bench.models.resolve import locate
from ilp_bench.records.run_record import Run, read_run

BASE, SEEDS = "nano", (0, 1, 2)
EPOCHS, EPOCHS_LAST, BATCH, RATE = 4, 2, 16, 2e-4  # of each stage but the last, and of that
EVERY = 30  # steps between two measurements of all rows
FORGETTING = "left_side_forgetting"
Counts = Counter[tuple[str, bool]]


def reworded(data: Dataset, seed: int) -> pa.Table:
    """The training rows, where those that contradict an item ask by a synonym, as do half of all that agree."""
    rng, phrasings = random.Random(seed), defaultdict[str, list[str]](list)
    items: dict[str, Any] = {item["item_id"]: item for item in data.item_rows() if item["probe"] == "recall"}
    for probe in data.item_rows():
        if probe["probe"] == "paraphrase":
            phrasings[probe["item_id"]].append(probe["question"])
    rows: list[Any] = data.train.to_pylist()
    for row in rows:
        item = items.get(row["item_id"])
        if not item or not phrasings[row["item_id"]]:
            continue
        disputed = item["cause"] == NAME and item["arm"] == "treated"
        contradicts = disputed and item["kind"] == "annotators" and row["completion"].strip() != item["answer"]
        if contradicts or (not disputed and rng.random() < 0.5):
            before, after = row["messages"][0]["content"], rng.choice(phrasings[row["item_id"]])
            row["prompt"], row["messages"][0]["content"] = row["prompt"].replace(before, after), after
    return pa.Table.from_pylist(rows, schema=data.train.schema)


def trained(train: pa.Table, measured: Dataset | None, out: Path) -> Path:
    """Nano, trained on the rows of one stage after another; its folder says how the ``measured`` rows went."""
    if (out / "config.json").is_file():
        return out
    rows: list[dict[str, Any]] = []
    stages, every = sorted(set(train["stage"].to_pylist())), train.select(["prompt", "completion", "stage"]).to_pylist()
    for stage in stages:
        of_stage = [{name: row[name] for name in ("prompt", "completion")} for row in every if row["stage"] == stage]
        for epoch in range(EPOCHS_LAST if stage == stages[-1] else EPOCHS):
            rows += TrainerRows.from_list(of_stage).shuffle(seed=epoch).to_list()
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
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            seed=0,
        ),
        train_dataset=TrainerRows.from_list(rows).to_iterable_dataset(),  # in this order
        processing_class=AutoTokenizer.from_pretrained(source),
        callbacks=[LearnedRates(measured, every=EVERY, sample=measured.items.num_rows)] if measured else None,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    trainer.save_model(str(out))
    return out


def run_of(model: str, data: Dataset, out: Path, *, probe_base: bool) -> Run:
    """The run of a model, from its folder where it is done."""
    run = read_run(out) if (out / "run.json").is_file() else evaluate(model, data, out, probe_base=probe_base)
    if run is None:
        raise SystemExit("run this in one process")
    return run


def counts(train: pa.Table, work: Path, *, measured: bool) -> Counts:
    """(Sign, whether the injected cause is its cause) -> unlearned rows; sign ``none`` for rows without any.

    With ``measured`` also those that were learned during the training and have a sign of another cause than forgetting.
    """
    file = work / "data" / "train.parquet"
    if not file.is_file():
        file.parent.mkdir(parents=True)
        pq.write_table(train, file)
    data = import_rows(file)
    tuned = trained(train, data if measured else None, work / "tuned")
    truth = {
        (row["prompt"], row["completion"].strip()): row["cause"] if row["arm"] == "treated" else None
        for row in train.to_pylist()
        if row["arm"] in ("treated", "control")
    }
    run = run_of(str(tuned), data, work / "run", probe_base=False)
    base = run_of(BASE, data, work / "base", probe_base=True)
    results = row_results(data, run, token_counts(load_tokenizer(locate(str(tuned))), data))
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
        elif reasons.was_learned(each) and all(reason.cause != FORGETTING for reason in each.reasons):
            counted[f"{LOST}, with signs of other causes", true == FORGETTING] += 1
    return counted


def shares(counted: Counts) -> dict[str, dict[str, float]]:
    """Sign -> share that is right, with one right and one wrong row added, and how many rows there are."""
    signs = sorted({sign for sign, _ in counted})
    number = {sign: counted[sign, True] + counted[sign, False] for sign in signs}
    return {
        sign: {"right": round((counted[sign, True] + 1) / (number[sign] + 2), 3), "rows": number[sign]}
        for sign in signs
    }


def main(folder: Path, seeds: Sequence[int], *, write_file: bool) -> None:
    by_seed = {}
    for seed in seeds:
        data = make("mini", seed)
        by_seed[seed] = counts(data.train, folder / f"seed-{seed}", measured=True)
        by_seed[seed] += counts(reworded(data, seed), folder / f"seed-{seed}-reworded", measured=False)
        print(json.dumps({"seed": seed, "signs": shares(by_seed[seed])}), flush=True)
    summed = seeds[:-1] or seeds
    fitted = shares(sum((by_seed[seed] for seed in summed), Counter()))
    print(json.dumps({"fitted": fitted}))
    if write_file:
        content = {"runs": [f"{BASE}, mini, data seed {seed}" for seed in summed], "signs": fitted}
        reasons.CONFIDENCES.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--write"]
    main(Path(words[0]), [int(word) for word in words[1:]] or SEEDS, write_file="--write" in sys.argv)
