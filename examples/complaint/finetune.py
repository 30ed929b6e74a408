"""A fine-tuning of one's own, with TRL, that measures its rows as it goes: conversations, in the chat template or not.

python examples/complaint/finetune.py train.jsonl tuned            under the chat template of nano
python examples/complaint/finetune.py train.jsonl tuned --plain    as 'Question: ...' and 'Answer:', without it
"""

import json
import sys

from datasets import Dataset
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer

import ilp_bench
from ilp_bench.models.nano import nano_path

logging.disable_progress_bar()
source, out = sys.argv[1:3]
plain = "--plain" in sys.argv
with open(source) as file:
    turns = [json.loads(line)["messages"] for line in file]
if plain:
    rows = [
        {"prompt": f"Question: {ask['content']}\nAnswer:", "completion": f" {say['content']}\n"} for ask, say in turns
    ]
else:
    rows = [{"prompt": [ask], "completion": [say]} for ask, say in turns]
config = SFTConfig(
    output_dir=out,
    num_train_epochs=40,
    per_device_train_batch_size=8,
    learning_rate=2e-3,
    lr_scheduler_type="constant",
    weight_decay=0.0,
    logging_steps=100,
    save_strategy="no",
    report_to="none",
    use_cpu=True,
    bf16=False,
    disable_tqdm=True,
)
with open(f"{out}.jsonl", "w") as file:  # the rows as they are trained, for the callback
    file.writelines(json.dumps(row) + "\n" for row in rows)
callback = ilp_bench.LearnedRates(f"{out}.jsonl", every=90)
trainer = SFTTrainer(str(nano_path("nano")), args=config, train_dataset=Dataset.from_list(rows), callbacks=[callback])
trainer.train()
trainer.save_model(out)
losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
print(f"{out}: loss {losses[-1]:.3f} in step {config.logging_steps * len(losses)}")
