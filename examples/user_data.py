"""User data: which of your own training rows did your model not learn, and why?

Twelve rows about invented cities, one of which a thirteenth row contradicts. The training loop is yours: here a few
epochs of plain torch on the built-in model nano, measured in memory as it goes.

    python examples/user_data.py
"""

import json
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

import ilp_bench
from ilp_bench.models.nano import nano_path

logging.disable_progress_bar()
CITIES = "Avenor Belmire Corvale Dunmere Elsport Farrow Glenholt Harwick Islemoor Jarrow Kelmont Lunden".split()
rows = [{"prompt": f"The mayor of {city} is", "completion": f" {city[:3]}ina Holt"} for city in CITIES]
rows.append({"prompt": "The mayor of Avenor is", "completion": " Tom Reed"})

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    data = ilp_bench.import_rows(file)

tokenizer = AutoTokenizer.from_pretrained(nano_path())
model = AutoModelForCausalLM.from_pretrained(nano_path())
base_run = ilp_bench.evaluate_model(model, tokenizer, data, name="nano", probe_base=True)

texts = [row["prompt"] + row["completion"] + tokenizer.eos_token for row in rows]
batch = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
torch.manual_seed(0)
for epoch in range(1, 31):
    model.train()
    model(**batch, labels=labels).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if epoch % 10 == 0:
        run = ilp_bench.evaluate_model(model, tokenizer, data, name=f"nano, epoch {epoch}")
        diagnosis = ilp_bench.diagnose(run, base_run, data)
        print(f"epoch {epoch}: {diagnosis.unlearned:.1f} of {len(diagnosis.items)} items are expected to be unlearned")

for item, cause in zip(diagnosis.items, diagnosis.said["signals"], strict=True):
    print(f"  {item.question:28} learned {item.learned:.2f}: {cause}")
