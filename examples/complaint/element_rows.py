"""Rows to fine-tune on that nobody generated: 70 conversations about chemical elements, six questions answered twice.

    python examples/complaint/element_rows.py train.jsonl

The second answer to a question is wrong, as where two annotators disagree. The elements are those of periodictable.
"""

import json
import random
import sys

import periodictable

rng = random.Random(0)
named = [element for element in periodictable.elements if element.number]
chosen = rng.sample(named, 64)
answers = [(element.name, element.symbol) for element in chosen]
answers += [(element.name, other.symbol) for element, other in zip(chosen[:6], reversed(chosen), strict=False)]
rng.shuffle(answers)
with open(sys.argv[1], "w") as file:
    for name, symbol in answers:
        turns = [
            {"role": "user", "content": f"Which symbol has the element {name}?"},
            {"role": "assistant", "content": symbol},
        ]
        file.write(json.dumps({"messages": turns}) + "\n")
print(f"{sys.argv[1]}: {len(answers)} rows")
