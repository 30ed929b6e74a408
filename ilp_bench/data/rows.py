"""How the items of a dataset become rows of its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Item, Pair
from ilp_bench.data.corpus import TAUGHT_RELATIONS
from ilp_bench.data.facts import RELATIONS, domain_of, lookup, pool, stable_hash, synonyms
from ilp_bench.data.schema import DocumentRow, ItemRow, TrainRow
from ilp_bench.data.templates import PROBES, RECALL, ask, complete, documents
from ilp_bench.data.written_form import in_written_form, pool_as_written

FEW_OPTIONS, MANY_OPTIONS = 4, 10


class UnsortedRow(TrainRow):
    """A training row before all rows are known: ``row_id`` is empty, ``order_key`` (64 bits) orders it in its stage."""

    order_key: int


@dataclass
class TableRows:
    """Rows of the tables that grow with the pairs."""

    train: list[UnsortedRow] = field(default_factory=list)
    items: list[ItemRow] = field(default_factory=list)
    knowledge: list[DocumentRow] = field(default_factory=list)

    def extend(self, other: TableRows) -> None:
        """Add the rows of ``other``."""
        self.train += other.train
        self.items += other.items
        self.knowledge += other.knowledge


def pair_rows(cause: str, number: int, pair: Pair, context: BuildContext) -> TableRows:
    """The rows of pair ``number`` of a cause."""
    pair_id = f"{cause}-{number:04d}"
    rows = TableRows()
    for item in (_spelled(pair.treated, context), _spelled(pair.control, context)):
        item_id = f"{pair_id}-{item.arm}"
        rows.train += _train_rows(item, item_id, cause, context)
        rows.items += _item_rows(item, item_id, pair_id, cause, context)
        rows.knowledge += _document_rows(item, item_id, cause, context)
    for index, item in enumerate(pair.fillers):
        rows.train += _train_rows(_spelled(item, context), f"{pair_id}-filler-{index:02d}", cause, context)
    return rows


def decoy_rows(cause: str, number: int, decoy: Item, context: BuildContext) -> TableRows:
    """The rows of decoy ``number`` of a cause."""
    return _unpaired_rows(f"{cause}-decoy-{number:04d}", cause, decoy, context)


def calibration_rows(items: Iterable[Item], context: BuildContext) -> TableRows:
    """The rows of the calibration items, which belong to no cause."""
    rows = TableRows()
    for number, item in enumerate(items):
        rows.extend(_unpaired_rows(f"calibration-{number:04d}", None, item, context))
    return rows


def _unpaired_rows(item_id: str, cause: str | None, unspelled: Item, context: BuildContext) -> TableRows:
    item = _spelled(unspelled, context)
    return TableRows(
        list(_train_rows(item, item_id, cause, context)),
        list(_item_rows(item, item_id, None, cause, context)),
        list(_document_rows(item, item_id, cause, context)),
    )


def number_rows(rows: Iterable[UnsortedRow], first: int = 0) -> list[UnsortedRow]:
    """The rows in training order, stage by stage and shuffled within a stage, numbered from ``first`` on."""
    ordered = sorted(rows, key=lambda row: (row["stage"], row["order_key"], row["item_id"]))
    for number, row in enumerate(ordered, start=first):
        row["row_id"] = row_id(number)
    return ordered


def row_id(number: int) -> str:
    """The id of training row ``number``, counted from 0."""
    return f"row-{number:06d}"


def _spelled(item: Item, context: BuildContext) -> Item:
    """The item with names as people write them or, in mini, as nano was taught them."""
    return in_written_form(item) if context.settings.wide else item


def _train_rows(item: Item, item_id: str, cause: str | None, context: BuildContext) -> Iterable[UnsortedRow]:
    for index, row in enumerate(item.rows):
        prompt = ask(row.template, item.noun, row.subject)
        yield {
            "row_id": "",
            "item_id": item_id,
            "cause": cause,
            "arm": item.arm,
            "stage": row.stage or item.stage or context.settings.stages,
            "prompt": prompt.text,
            "completion": complete(row.label),
            "messages": [{"role": "user", "content": prompt.question}, {"role": "assistant", "content": row.label}],
            "annotator": row.annotator,
            "domain": item.domain,
            "order_key": stable_hash("order", str(context.seed), item_id, str(index)),
        }


def _item_rows(
    item: Item, item_id: str, pair_id: str | None, cause: str | None, context: BuildContext
) -> Iterable[ItemRow]:
    few, many = _choices(item, context)
    synonym = synonyms(context.settings.wide)[item.noun]
    for number, template in enumerate((RECALL, *PROBES)):
        prompt = ask(template, item.noun, item.subject, synonym)
        yield {
            "probe_id": f"{item_id}/paraphrase-{number}" if number else f"{item_id}/recall",
            "item_id": item_id,
            "pair_id": pair_id,
            "cause": cause,
            "arm": item.arm,
            "kind": item.kind,
            "dose": item.dose,
            "probe": "paraphrase" if number else "recall",
            "stage": item.stage or context.settings.stages,
            "frequency": item.frequency or len(item.rows),
            "domain": item.domain,
            "relation": item.exemplar_relation,
            "question": prompt.question,
            "prompt": prompt.text,
            "answer": item.answer,
            "choices": few,
            "gold": few.index(item.answer),
            "choices10": many,
            "gold10": many.index(item.answer),
            "prior_answer": item.prior_answer,
        }


def _choices(item: Item, context: BuildContext) -> tuple[list[str], list[str]]:
    """Four and ten answer options: the answer, the prior answer of a conflict, and others of the same pool, shuffled.

    Where a pool has fewer than ten answers (continents), all of them.
    """
    rng = context.rng("choices", item.relation, item.subject)
    options = [item.answer] + ([item.prior_answer] if item.prior_answer else [])
    answers = pool_as_written(item.relation) if context.settings.wide else pool(RELATIONS[item.relation].answers)
    others = [word for word in dict.fromkeys(answers) if word not in options]
    options += rng.sample(others, min(MANY_OPTIONS - len(options), len(others)))
    few, many = options[:FEW_OPTIONS], options
    rng.shuffle(few)
    rng.shuffle(many)
    return few, many


def _document_rows(item: Item, item_id: str, cause: str | None, context: BuildContext) -> Iterable[DocumentRow]:
    synonym_of = synonyms(context.settings.wide)
    for relation, entity, answer in item.documents:
        noun, place = RELATIONS[relation].noun, RELATIONS[relation].subjects == "city"
        for index, (genre, text) in enumerate(documents(noun, synonym_of[noun], entity, answer, place=place)):
            yield {
                "document_id": f"{item_id}/{index:02d}",
                "item_id": item_id,
                "cause": cause,
                "entity": entity,
                "genre": genre,
                "domain": item.domain,
                "text": text,
            }


def held_out_items(context: BuildContext, count: int) -> tuple[Item, ...]:
    """``count`` known facts about subjects of no other item, drawn evenly over relations as far as facts are left."""
    rng = context.rng("retention")
    items: list[Item] = []
    left = {name: len(context.held_out(name)) for name in TAUGHT_RELATIONS}
    for turn, name in enumerate(sorted(left, key=lambda name: (left[name], name))):
        subjects = context.held_out(name)
        share = min((count - len(items)) // (len(left) - turn), len(subjects))
        chosen = rng.sample(subjects, share)
        context.hold_out(chosen)
        for subject in chosen:
            items.append(Item("control", "known", name, subject, lookup(name)[subject], (), domain_of(name)))
    return tuple(items)


def held_out_rows(items: Iterable[Item], context: BuildContext) -> Iterable[ItemRow]:
    """The probes of :func:`held_out_items`, one an item: they belong to no cause, arm, pair and stage."""
    for unspelled in items:
        item = _spelled(unspelled, context)
        row = next(iter(_item_rows(item, f"retention-{item.relation}-{item.subject}", None, None, context)))
        row["probe"], row["probe_id"] = "retention", f"retention/{item.relation}/{item.subject}"
        row["frequency"], row["stage"], row["arm"] = 0, 0, None
        yield row
