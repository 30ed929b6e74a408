"""What the site says about each cause, beside its numbers. Sections are those of Xue et al. 2026, arXiv 2604.10079."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """``title`` and ``short`` name the cause, ``why`` says what happens, ``repair`` what helps and by which recipes;
    ``dose`` labels its dose axis, ``harder`` says which end of it is harder."""

    numeral: str
    title: str
    short: str
    question: str
    why: str
    treated: str
    control: str
    repair: str
    recipes: tuple[str, ...]
    dose: str
    section: str


WORDS = {
    "knowledge_gap": Words(
        numeral="I",
        title="Missing prerequisite knowledge",
        short="Knowledge gap",
        question="Can a model learn an answer whose prerequisites it never met?",
        why="The answer hangs on something the base model does not know. Gradient steps on the answer alone "
        "leave a weak trace: there is nothing in the model for it to hold on to.",
        treated="asks about an invented entity",
        control="asks the same about a real one, which the base model knows",
        repair="Teach what is missing first: continued pre-training on about twenty documents for each unknown "
        "entity, then the same fine-tuning. More epochs are the wrong medicine (claim C1 of the paper).",
        recipes=("knowledge_cpt", "combined", "auto"),
        dose="Hops to the answer",
        section="3.2, table 4",
    ),
    "knowledge_conflict": Words(
        numeral="II",
        title="Conflict with pre-training knowledge",
        short="Conflict",
        question="Can a model learn a label that contradicts what it believes?",
        why="The base model is sure of another answer. Fine-tuning talks it out of that answer in the wording"
        " it was trained on; ask in other words, and the old belief is back.",
        treated="denies a fact that the base model is sure of",
        control="gives an equally familiar subject an attribute it never had",
        repair="Continued pre-training on documents that report the new fact, so that the belief itself changes.",
        recipes=("conflict_cpt", "combined", "auto"),
        dose="Strength of the old belief",
        section="3.2, tables 6 and 15",
    ),
    "data_inconsistency": Words(
        numeral="III",
        title="Inconsistent training data",
        short="Inconsistency",
        question="What is left of a label that other rows contradict?",
        why="The same question stands in several rows with different labels. Their gradients pull in "
        "different directions and part of each label is undone by the next.",
        treated="stands in rows that contradict one another",
        control="stands in as many rows, all agreeing",
        repair="Find the contradictions; delete the rows that are wrong, and keep rows that are true in "
        "different contexts out of one another's batches.",
        recipes=("conflict_buckets", "delete_only", "group_only", "combined", "auto"),
        dose="Share of contradicting rows",
        section="3.2 and 4.3, table 8",
    ),
    "left_side_forgetting": Words(
        numeral="IV",
        title="Left-side forgetting",
        short="Forgetting",
        question="What is left of the data that came first?",
        why="Training goes through the data in stages. What was learned in an early stage is overwritten by "
        "the later ones, although it was learned once.",
        treated="is trained in an early stage",
        control="is trained in the last stage",
        repair="One shuffle over all stages, and drawing again what starts to slip.",
        recipes=("resampling", "combined", "auto"),
        dose="Stages since it was trained",
        section="3.2 and 4.4, table 11",
    ),
    "rare_patterns": Words(
        numeral="V",
        title="Rare and complex patterns",
        short="Rare patterns",
        question="Is a pattern learned that occurs once or twice?",
        why="Training stops when the loss is small on average, and rare patterns weigh little in an average. "
        "They are still being learned when training ends.",
        treated="follows a rule that occurs in one or two rows",
        control="follows a rule of the same kind that occurs in sixteen",
        repair="Repeat what is rare, or add epochs for as long as they help.",
        recipes=("rare_upsampling", "progressive_epochs", "combined", "auto"),
        dose="Rows that carry the pattern",
        section="3.2 and 4.5, table 2",
    ),
}
