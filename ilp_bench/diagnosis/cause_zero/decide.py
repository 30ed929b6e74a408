"""All checks, and whether one of them is the reason."""

from __future__ import annotations

from typing import NamedTuple

from ilp_bench.diagnosis.cause_zero.asked_otherwise import asked_otherwise, end_not_learned
from ilp_bench.diagnosis.cause_zero.check import Asked, Check, Decide
from ilp_bench.diagnosis.cause_zero.duplicates import duplicates
from ilp_bench.diagnosis.cause_zero.never_in_loss import earlier_turns, masked, truncated
from ilp_bench.diagnosis.cause_zero.tokenizer import tokenizer_changed
from ilp_bench.diagnosis.cause_zero.undertrained import undertrained
from ilp_bench.diagnosis.cause_zero.wrong_model import another_base, early_checkpoint, same_as_base

# In this order: what explains most of it makes those after it moot.
CHECKS: tuple[Decide, ...] = (
    same_as_base,
    another_base,
    tokenizer_changed,
    asked_otherwise,
    truncated,
    end_not_learned,
    masked,
    earlier_turns,
    early_checkpoint,
    undertrained,
    duplicates,
)
MOST = 0.5  # share of the unlearned rows from which on what is named explains the whole


class CauseZero(NamedTuple):
    """All checks; the items that those that are named explain; whether they explain enough to stop there."""

    checks: list[Check]
    reason_of: dict[str, str]
    explains: bool


def cause_zero(asked: Asked) -> CauseZero:
    """Run the checks in order. Once one explains most of what is unlearned, those after it are not judged."""
    checks: list[Check] = []
    unlearned = [row.item_id for row in asked.rows if not row.learned]
    reason_of: dict[str, str] = {}
    main: Check | None = None
    for decide in CHECKS:
        check = decide(asked)
        if main and check.state == "named" and check.item_ids != []:
            moot = f"{check.figure}; not judged, because another check explains it ({main.name})"
            check = check.model_copy(update={"state": "unknown", "figure": moot, "remedy": ""})
        if check.state == "named":
            for item_id in unlearned if check.item_ids is None else check.item_ids:
                reason_of.setdefault(item_id, check.name)
            explains_most = bool(unlearned) and len(reason_of) >= MOST * len(unlearned)
            main = main or (check if check.item_ids is None or explains_most else None)
        checks.append(check)
    return CauseZero(checks, reason_of, main is not None)
