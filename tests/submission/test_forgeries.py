"""Ways to raise one's score, or to lower another's, by editing files. Every one is refused, with the reason.

The forger is careful: unless the forgery is about them, hashes, run id and folder are mended, often the scores too.
What no check of files can find, samples invented as a whole, is said in SECURITY.md.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from forging import Forgery, archived_entry, honest_entry
from points_entries import STAGE_TOKENS, runs_of, take_for_committed, write_reference

from ilp_bench.scoring import references
from ilp_bench.submission.check_folder import check_all, entry_problems, history_problems
from ilp_bench.submission.check_rules import FIELDS
from ilp_bench.submission.format import SubmittedRuns
from ilp_bench.submission.sample_store import write_samples
from ilp_bench.submission.validate import Checked, check, find

Change = Callable[[Forgery], Any]
FORGERIES: dict[str, tuple[Change, str, str]] = {}
TOTAL = sum(STAGE_TOKENS.values())


def forgery(reason: str, of: str = "lab") -> Callable[[Change], Change]:
    """Register a way of cheating with what the refusal says, and the organisation whose entry is forged.

    lab: open, one run; three: division 1x, three runs; referring: division 1x, against a reference.
    """

    def add(change: Change) -> Change:
        FORGERIES[change.__name__] = (change, reason, of)
        return change

    return add


def score_of(f: Forgery, cause: str = "rare_patterns", kind: str = "reproduction") -> dict[str, Any]:
    return next(score for score in f.content["scores"][kind]["causes"] if score["cause"] == cause)


def record(f: Forgery, role: str = "submission", number: int = 0) -> dict[str, Any]:
    return f.content[FIELDS[role]][number]  # type: ignore[no-any-return]


def records(f: Forgery) -> list[dict[str, Any]]:
    return [record for field in FIELDS.values() for record in f.content[field]]


def training(f: Forgery, role: str = "submission", number: int = 0) -> dict[str, Any]:
    return record(f, role, number)["training"]  # type: ignore[no-any-return]


# --- claims that do not follow from the samples


@forgery("scores.reproduction.share.value is claimed")
def raise_the_share(f: Forgery) -> None:
    f.content["scores"]["reproduction"]["share"]["value"] += 0.05


@forgery("scores.internalisation.share.value is claimed")
def raise_the_other_share(f: Forgery) -> None:
    f.content["scores"]["internalisation"]["share"]["value"] += 0.05


@forgery("scores.reproduction.causes.rare_patterns.points.value is claimed")
def raise_the_points_of_a_cause(f: Forgery) -> None:
    score_of(f)["points"]["value"] += 1e-6


@forgery("scores.reproduction.share.low is claimed")
def narrow_an_interval(f: Forgery) -> None:
    f.content["scores"]["reproduction"]["share"]["low"] += 0.01


@forgery("submission.p.treated is claimed")
def raise_p_in_the_scores(f: Forgery) -> None:
    score_of(f)["submission"]["p"]["treated"] = 1.0


@forgery("vanilla.p.treated is claimed")
def lower_vanilla_in_the_scores(f: Forgery) -> None:
    score_of(f)["vanilla"]["p"]["treated"] = 0.0


@forgery("control_change.value is claimed")
def hide_that_the_control_fell(f: Forgery) -> None:
    score_of(f)["control_change"]["value"] = 0.5


@forgery("hurt is claimed as True")
def slander_oneself(f: Forgery) -> None:
    score_of(f)["hurt"] = True


@forgery("scores.retention.submission is claimed")
def raise_retention(f: Forgery) -> None:
    f.content["scores"]["retention"]["submission"] = 1.0


@forgery("doses.0.points is claimed")
def straighten_the_dose_curve(f: Forgery) -> None:
    score_of(f)["doses"][0]["points"] = 1.0


@forgery("active_pairs is claimed")
def count_more_active_pairs(f: Forgery) -> None:
    score_of(f)["active_pairs"] += 1


@forgery("scores.reproduction.causes is claimed")
def leave_out_the_worst_cause(f: Forgery) -> None:
    f.content["scores"]["reproduction"]["causes"].pop()


@forgery("scores.reproduction.counted is claimed")
def leave_a_cause_uncounted(f: Forgery) -> None:
    f.content["scores"]["reproduction"]["counted"].pop()


@forgery("scores.replicates.0.share.reproduction is claimed")
def raise_a_replicate(f: Forgery) -> None:
    f.content["scores"]["replicates"][0]["share"]["reproduction"] = 0.9


@forgery("scores.ranked is claimed as True")
def claim_to_be_ranked(f: Forgery) -> None:
    f.content["scores"] |= {"ranked": True, "not_ranked_because": []}


@forgery("scores.interval_kind is claimed as 'runs'")
def claim_intervals_of_runs(f: Forgery) -> None:
    f.content["scores"]["interval_kind"] = "runs"


@forgery("scores.provisional is claimed as False")
def claim_that_it_is_settled(f: Forgery) -> None:
    f.content["scores"]["provisional"] = False


@forgery("scores.division is claimed as '3x'")
def claim_another_division_in_the_scores(f: Forgery) -> None:
    f.content["scores"]["division"] = "3x"


@forgery("scores.scorer_version: Input should be 3")
def hide_behind_an_old_scorer(f: Forgery) -> None:
    f.content["scores"]["scorer_version"] = 2


@forgery("schema_version: Input should be 3")
def hide_behind_a_future_schema(f: Forgery) -> None:
    f.content["schema_version"] = 4


@forgery("records: Field required")
def hide_behind_the_archive(f: Forgery) -> None:
    f.content["schema_version"] = 2


# --- rows of the dataset left out, doubled, moved


def drop(f: Forgery, mask: Any) -> None:
    f.table = f.table.filter(pa.array(~mask))


@forgery("probes are missing")
def drop_the_hard_items(f: Forgery) -> None:
    drop(f, f.rows() & (f.column("p") < 0.2))


@forgery("probes are missing")
def drop_the_items_that_vanilla_learned(f: Forgery) -> None:
    drop(f, f.rows("vanilla", arm="treated") & (f.column("p") > 0.09))


@forgery("100 probes are missing")
def drop_the_known_facts(f: Forgery) -> None:
    drop(f, f.rows(probe="retention"))


@forgery("1 probes are duplicated")
def count_an_easy_item_twice(f: Forgery) -> None:
    f.table = pa.concat_tables([f.table, f.table.slice(3, 1)])


@forgery("probes are missing")
def put_easy_items_in_place_of_hard_ones(f: Forgery) -> None:
    easy, hard = (np.flatnonzero(f.rows(arm=arm))[:20] for arm in ("control", "treated"))
    order = np.arange(f.table.num_rows)
    order[hard] = easy
    f.table = f.table.take(pa.array(order))


@forgery("name another item, arm or cause")
def swap_the_arms(f: Forgery) -> None:
    f.put("arm", [{"treated": "control", "control": "treated"}.get(arm, arm) for arm in f.column("arm")])


@forgery("name another item, arm or cause")
def move_items_to_an_easier_cause(f: Forgery) -> None:
    f.put("cause", [{"knowledge_conflict": "knowledge_gap"}.get(cause, cause) for cause in f.column("cause")])


@forgery("name another item, arm or cause")
def pair_items_otherwise(f: Forgery) -> None:
    pairs, mask = f.column("pair_id"), f.rows(cause="rare_patterns", arm="treated")
    pairs[mask] = np.roll(pairs[mask], 3)
    f.put("pair_id", pairs)


@forgery("name another item, arm or cause")
def call_a_paraphrase_recall(f: Forgery) -> None:
    f.put("probe", ["recall" if probe == "paraphrase" else probe for probe in f.column("probe")])


@forgery("name another item, arm or cause")
def change_the_dose(f: Forgery) -> None:
    f.put("dose", [None if dose is None else dose + 1 for dose in f.column("dose")])


@forgery("name another item, arm or cause")
def change_what_was_believed_before(f: Forgery) -> None:
    f.put("prior_answer", [old and "Atlantis" for old in f.column("prior_answer")])


@forgery("probes are not in the dataset")
def add_items_of_my_own(f: Forgery) -> None:
    extra = f.table.slice(0, 5)
    names = pa.array([f"mine-{n}/recall" for n in range(5)])
    place = extra.schema.get_field_index("probe_id")
    f.table = pa.concat_tables([f.table, extra.set_column(place, extra.schema.field(place), names)])


@forgery("the roles are")
def leave_out_vanilla(f: Forgery) -> None:
    drop(f, f.rows("vanilla"))


@forgery("the roles are")
def store_my_samples_as_another_replicate(f: Forgery) -> None:
    f.put("replicate", np.where(f.rows("submission"), 1, 0))


# --- numbers that do not follow from one another


@forgery("p is not exp(logprob)")
def raise_p_alone(f: Forgery) -> None:
    f.put("p", np.where(f.rows(), np.minimum(1.0, f.column("p").astype(float) * 1.5), f.column("p")))


@forgery("p is not exp(logprob)")
def raise_p_within_rounding(f: Forgery) -> None:
    p = f.column("p").astype(np.float32)
    f.put("p", np.where(f.rows(), np.nextafter(p, np.float32(1)), p))


@forgery("p is 1.25 for")
def raise_p_above_one(f: Forgery) -> None:
    f.put("p", np.where(f.rows(), 1.25, f.column("p")))


@forgery("p is nan for")
def make_p_nan(f: Forgery) -> None:
    f.put("p", np.where(f.rows(), math.nan, f.column("p")))


@forgery("logprob is not a finite number of at most 0")
def raise_logprob_above_zero(f: Forgery) -> None:
    f.put("logprob", np.where(f.rows(), 0.5, f.column("logprob")))


@forgery("logprob is not a finite number of at most 0")
def make_logprob_infinite(f: Forgery) -> None:
    f.put("logprob", np.where(f.rows(), -math.inf, f.column("logprob")))
    f.put("p", np.where(f.rows(), 0.0, f.column("p")))


@forgery("a number is -0.0")
def write_negative_zero(f: Forgery) -> None:
    f.put("logprob", np.where(f.rows(), -0.0, f.column("logprob")))
    f.put("p", np.where(f.rows(), 1.0, f.column("p")))
    f.put("greedy", [True] * f.table.num_rows)


@forgery("greedy is false although p exceeds one half")
def raise_p_and_logprob_alone(f: Forgery) -> None:
    greedy = f.column("greedy")
    f.set_p(f.rows(), 0.99)
    f.put("greedy", greedy)
    f.rescore()


@forgery("greedy is true although p is lower")
def claim_greedy_answers(f: Forgery) -> None:
    f.set_p(f.rows(arm="treated"), 1e-30)
    f.put("greedy", np.where(f.rows(), True, f.column("greedy")))


@forgery("no possible number of tokens")
def answer_in_no_tokens(f: Forgery) -> None:
    f.put("tokens", [0] * f.table.num_rows)


@forgery("another number of tokens than in the other runs")
def use_another_tokenizer(f: Forgery) -> None:
    f.put("tokens", np.where(f.rows(), 1, f.column("tokens")))


@forgery("for prompts never trained")
def learn_only_the_paraphrases(f: Forgery) -> None:
    f.set_p(f.rows(probe="paraphrase", arm="treated"), 0.9)
    f.rescore()


# --- vanilla and the base model


@forgery("weak vanilla")
def shrink_the_vanilla_run(f: Forgery) -> None:
    f.set_p(f.rows("vanilla"), f.column("p").astype(float) * 0.7)
    f.rescore()


@forgery("vanilla reproduces its control items with a mean p of")
def shrink_the_vanilla_run_to_nothing(f: Forgery) -> None:
    f.set_p(f.rows("vanilla"), f.column("p").astype(float) * 0.2)


@forgery("weak vanilla", of="three")
def shrink_one_vanilla_run_of_three(f: Forgery) -> None:
    f.set_p(f.rows("vanilla", replicate=2), f.column("p").astype(float) * 0.7)
    f.rescore()


@forgery("but was measured otherwise")
def spoil_only_the_treated_items_of_vanilla(f: Forgery) -> None:
    f.set_p(f.rows("vanilla", arm="treated"), 1e-4)
    f.rescore()


@forgery("was trained with recipe 'more_epochs'")
def compare_with_another_recipe(f: Forgery) -> None:
    training(f, "vanilla")["recipe"] = "more_epochs"


@forgery("start from different base models")
def claim_another_base(f: Forgery) -> None:
    training(f)["base"]["weights_sha256"] = "c" * 64


@forgery("start from different base models")
def bring_a_weaker_base_run(f: Forgery) -> None:
    record(f, "base")["model"]["weights_sha256"] = "c" * 64


@forgery("the base run is of the model that was fine-tuned from")
def bring_a_tuned_base_run(f: Forgery) -> None:
    record(f, "base")["training"] = {"recipe": "warm-up"}


@forgery("belief is not the preferred of shots_options")
def change_what_the_base_believes(f: Forgery) -> None:
    f.put("belief", [old and "Atlantis" for old in f.column("belief")])


@forgery("shots_greedy is false although shots_p exceeds one half")
def have_the_base_know_less(f: Forgery) -> None:
    f.put("shots_greedy", [None if old is None else False for old in f.column("shots_greedy")])


@forgery("shots_greedy is true although shots_p is lower")
def have_the_base_answer_more(f: Forgery) -> None:
    f.put("shots_greedy", [None if old is None else True for old in f.column("shots_greedy")])
    f.put("shots_p", [None if old is None else 1e-30 for old in f.column("shots_p")])


@forgery("but was measured otherwise")
def have_the_base_know_more(f: Forgery) -> None:
    f.put("shots_greedy", [None if old is None else True for old in f.column("shots_greedy")])
    f.put("shots_p", [None if old is None else 0.8 for old in f.column("shots_p")])
    f.rescore()


@forgery("shots_p must be there where it was asked")
def hide_what_the_base_knows(f: Forgery) -> None:
    record(f, "base")["probed"] = False


@forgery("is of the base model itself")
def submit_the_base_as_trained(f: Forgery) -> None:
    record(f)["model"]["weights_sha256"] = training(f)["base"]["weights_sha256"]


@forgery("runs.0 has no training record")
def submit_without_a_training_record(f: Forgery) -> None:
    record(f)["training"] = None


@forgery("names the samples file of another run")
def use_one_run_twice(f: Forgery) -> None:
    record(f)["samples_sha256"] = record(f, "vanilla")["samples_sha256"]


@forgery("was sampled, which checks p and is not scored")
def pick_lucky_draws(f: Forgery) -> None:
    f.content["runs"][0] |= {"protocol": "sampled", "draws": 5, "seed": 0}


@forgery("was asked in chat prompts")
def ask_vanilla_in_a_strange_format(f: Forgery) -> None:
    record(f, "vanilla")["prompt_format"] = "chat"


# --- another dataset


@forgery("the dataset is not ILP-Bench mini seed 1")
def name_another_seed(f: Forgery) -> None:
    for each in records(f):
        each["data"]["seed"] = 1


@forgery("the dataset is not ILP-Bench mini seed 0")
def bring_an_easier_dataset(f: Forgery) -> None:
    for each in records(f):
        each["data"]["content_sha256"] = "e" * 64


@forgery("submissions are on mini or core")
def name_a_dataset_of_no_one(f: Forgery) -> None:
    for each in records(f):
        each["data"]["size"] = "tiny"


@forgery("was trained on another dataset (seed 9)")
def train_on_the_items_of_another_seed(f: Forgery) -> None:
    training(f)["data"] = {"size": "mini", "seed": 9, "version": "3", "content_sha256": "f" * 64}


@forgery("on dataset versions 2")
def submit_on_the_dataset_of_the_archive(f: Forgery) -> None:
    archived = Forgery(archived_entry(f.root.with_name("archive")), f.root.with_name("archived"))
    first = archived.content["records"][0]
    roles = [
        (role, first[role])
        for role in FIELDS
        if first[role] and (role != "vanilla" or first[role] != first["submission"])
    ]
    f.content |= {field: [] for field in FIELDS.values()}
    for role, each in roles:
        f.content[FIELDS[role]].append(each)
    wanted = [archived.rows(role, replicate=0) for role, _ in roles]
    f.table = archived.table.filter(pa.array(np.any(wanted, axis=0)))


# --- the divisions


@forgery("needs runs on datasets of 3 seeds, this has 1 (0)")
def enter_1x_with_one_seed(f: Forgery) -> None:
    f.content["meta"]["division"] = "1x"


@forgery("division: the closed division is now 1x or 3x", of="three")
def enter_the_division_of_the_archive(f: Forgery) -> None:
    f.content["meta"]["division"] = "closed"


@forgery("it was trained in division 1x, and is submitted to 3x", of="three")
def call_1x_3x(f: Forgery) -> None:
    f.content["meta"]["division"] = "3x"


def spend(f: Forgery, tokens: int, number: int = 0, **budget: Any) -> None:
    """A training record that spent so many tokens in one stage, and a budget beside it."""
    record = training(f, number=number)
    record["phases"] = [record["phases"][0] | {"supervised": tokens}]
    record["budget"] |= {"tokens": {"1": tokens}, "total": tokens} | budget


@forgery(f"its budget is {3 * TOTAL} supervised tokens, and vanillas.0 has {TOTAL}", of="three")
def call_3x_1x(f: Forgery) -> None:
    spend(f, 3 * TOTAL)


@forgery("it was trained in division 3x, and is submitted to 1x", of="three")
def train_three_times_as_long(f: Forgery) -> None:
    spend(f, 3 * TOTAL, division="3x")


@forgery(f"its budget is {TOTAL + 1} supervised tokens", of="three")
def exceed_the_budget_by_a_token(f: Forgery) -> None:
    spend(f, TOTAL + 1, number=2)


@forgery(f"its phases trained on {TOTAL + 4000} supervised tokens, its budget is {TOTAL}", of="three")
def name_a_smaller_budget_than_was_spent(f: Forgery) -> None:
    training(f)["phases"].append(training(f)["phases"][0])


@forgery(f"its phases trained on {TOTAL} supervised tokens, its budget is {2 * TOTAL}", of="three")
def name_a_larger_budget_than_was_spent(f: Forgery) -> None:
    training(f)["budget"] |= {"tokens": {"1": 2 * TOTAL}, "total": 2 * TOTAL}


@forgery("and reference stub-mini-1x has", of="referring")
def exceed_the_budget_of_the_reference(f: Forgery) -> None:
    for number in range(3):
        spend(f, TOTAL + 5000, number)


@forgery("lacks budget, phases", of="three")
def hide_the_tokens(f: Forgery) -> None:
    del training(f)["budget"], training(f)["phases"]


@forgery("supervised: Input should be greater than or equal to 0", of="three")
def spend_negative_tokens(f: Forgery) -> None:
    training(f)["budget"]["total"] = training(f)["phases"][0]["supervised"] = -5


@forgery("found its budget by calibration", of="three")
def let_vanilla_stop_where_it_likes(f: Forgery) -> None:
    training(f, "vanilla", 1)["budget"]["source"] = "reference"


@forgery("two replicates are the same weights")
def count_one_run_three_times(f: Forgery) -> None:
    f.content["runs"] *= 3


def another_run_of_the_same(f: Forgery, role: str) -> None:
    """The first run of a role once more, with noise, under other hashes."""
    copy = json.loads(json.dumps(record(f, role)))
    copy["samples_sha256"] = copy["model"]["weights_sha256"] = "d" * 64
    f.content[FIELDS[role]].append(copy)
    rows = f.table.filter(pa.array(f.rows(role)))
    place = rows.schema.get_field_index("replicate")
    numbers = pa.array([1] * rows.num_rows, type=rows.schema.field(place).type)
    f.table = pa.concat_tables([f.table, rows.set_column(place, rows.schema.field(place), numbers)])
    noise = 1 - 4e-4 * np.random.default_rng(0).random(f.table.num_rows)
    f.set_p(f.rows(role, replicate=1), f.column("p").astype(float) * noise)
    f.rescore()


@forgery("runs.1 has the samples of runs.0")
def count_one_run_twice_under_another_hash(f: Forgery) -> None:
    another_run_of_the_same(f, "submission")


@forgery("vanillas.1 has the samples of vanillas.0")
def count_one_vanilla_run_twice_under_another_hash(f: Forgery) -> None:
    another_run_of_the_same(f, "vanilla")


# --- the reference


@forgery("reference stub-mini-9x is not committed", of="referring")
def name_a_reference_of_no_one(f: Forgery) -> None:
    f.content["reference"]["name"] = "stub-mini-9x"


@forgery("reference.name: String should match pattern", of="referring")
def climb_to_a_reference(f: Forgery) -> None:
    f.content["reference"]["name"] = "../../mine"


@forgery("reference stub-mini-1x has sha256", of="referring")
def name_another_hash_of_the_reference(f: Forgery) -> None:
    f.content["reference"]["sha256"] = "e" * 64


@forgery("reference other-mini-1x is of another base model", of="referring")
def swap_the_reference(f: Forgery) -> None:
    other = references.named_reference("other-mini-1x")
    f.content["reference"] = {"name": other.name, "sha256": other.sha256}


@forgery("no vanilla run on the dataset", of="referring")
def drop_the_reference(f: Forgery) -> None:
    f.content["reference"] = None


@forgery("reference stub-mini-1x is committed", of="referring")
def bring_vanilla_in_place_of_the_reference(f: Forgery) -> None:
    own = SubmittedRuns(*runs_of(base="referred"))
    write_samples(own.by_key, f.root / "own.parquet")
    table = pq.read_table(f.root / "own.parquet")
    (f.root / "own.parquet").unlink()
    f.content["vanillas"] = [run.record.model_dump(mode="json") for run in own.vanillas]
    f.content["bases"] = [run.record.model_dump(mode="json") for run in own.bases]
    f.content["reference"] = None
    f.table = pa.concat_tables([f.table, table.filter(pc.not_equal(table["role"], "submission"))])
    f.rescore()


@forgery("reproduction.causes.rare_patterns.reference_gap is claimed", of="referring")
def lower_the_gap_of_the_reference(f: Forgery) -> None:
    score_of(f)["reference_gap"] = 0.2


@forgery("scores.reference.vanilla_runs is claimed", of="referring")
def claim_more_vanilla_runs(f: Forgery) -> None:
    f.content["scores"]["reference"]["vanilla_runs"] = 30


# --- identity


@forgery("has the samples of")
def copy_the_samples_of_another(f: Forgery) -> None:
    theirs = Forgery(next(f.root.glob("rival__*/*")), f.root.with_name("theirs"))
    for name in ("logprob", "p", "greedy"):
        column = f.column(name)
        column[f.rows()] = theirs.column(name)[theirs.rows()]
        f.put(name, column)
    f.rescore()


@forgery("has the samples of")
def copy_the_samples_with_noise(f: Forgery) -> None:
    copy_the_samples_of_another(f)
    noise = 1 - 4e-4 * np.random.default_rng(0).random(f.table.num_rows)
    f.set_p(f.rows(), f.column("p").astype(float) * noise)
    f.rescore()


@forgery("has the samples of")
def submit_once_more_under_another_name(f: Forgery) -> None:
    second = Forgery(f.folder, f.root.with_name("second"))
    second.content["meta"] |= {"org": "other", "model": "fresh"}
    place = second.save()
    f.after.append(lambda _: shutil.copytree(place.parent, f.root / place.parent.name))


@forgery("can be taken for")
def take_a_name_that_looks_alike(f: Forgery) -> None:
    f.content["meta"]["org"] = "rivaI"


@forgery("mixes CYRILLIC and LATIN letters in one word")
def take_a_name_in_another_alphabet(f: Forgery) -> None:
    f.content["meta"]["org"] = "riv\u0430l"


@forgery("meta.org: use letters, digits, dots and hyphens")
def climb_out_of_the_folder(f: Forgery) -> None:
    f.content["meta"]["org"] = "../../etc"


@forgery("the folder must be lab__model/")
def stand_in_the_folder_of_another(f: Forgery) -> None:
    f.after.append(lambda folder: shutil.move(folder, f.root / "rival__model" / folder.name))


@forgery("run_id is not the hash of the content")
def keep_an_old_run_id(f: Forgery) -> None:
    def edit(folder: Path) -> None:
        content = json.loads((folder / "submission.json").read_text())
        content["meta"]["paper"] = "https://example.org"
        (folder / "submission.json").write_text(json.dumps(content))

    f.after.append(edit)


@forgery("samples_sha256 differs from samples.parquet")
def change_the_samples_after_hashing(f: Forgery) -> None:
    def flip(folder: Path) -> None:
        data = bytearray((folder / "samples.parquet").read_bytes())
        data[2000] ^= 1
        (folder / "samples.parquet").write_bytes(data)

    f.after.append(flip)


@forgery("Extra inputs are not permitted")
def add_a_field_of_my_own(f: Forgery) -> None:
    f.content["verified"] = True


@forgery("does not belong into a submission")
def add_a_file_of_my_own(f: Forgery) -> None:
    f.after.append(lambda folder: (folder / "run.sh").write_text("#!/bin/sh\n"))


@forgery("verification.json: records.0")
def verify_myself_in_words_of_my_own(f: Forgery) -> None:
    text = json.dumps({"records": [{"by": "a friend", "public": "agrees"}]})
    f.after.append(lambda folder: (folder / "verification.json").write_text(text))


Entries = dict[str, Path]


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entries]:
    """Honest entries by their organisation, all in one folder: three that are forged, and a rival's on the same runs.

    A reference of their base model has the first seeds of no entry but that which refers to it.
    """
    root = tmp_path_factory.mktemp("honest")
    stored = root / "references"
    write_reference(stored / "other-mini-1x", base="other")
    write_reference(stored / "stub-mini-1x", base="referred")
    with pytest.MonkeyPatch.context() as patch:
        take_for_committed(patch, stored)
        out = root / "submissions"
        yield {
            "lab": honest_entry(out, org="lab"),
            "rival": honest_entry(out, org="rival", gain=0.25),
            "three": honest_entry(out, org="three", seeds=(0, 1, 2), division="1x", gain=0.15),
            "referring": honest_entry(
                out,
                org="referring",
                seeds=(0, 1, 2),
                division="1x",
                base="referred",
                reference=references.named_reference("stub-mini-1x"),
            ),
        }


@lru_cache
def honest(folder: Path) -> Checked:
    return check(folder)


def problems(forged: Path, entries: Entries, touched: str = "") -> list[str]:
    """What is wrong with a forged copy of the folder; entries but that of ``touched`` are not checked again."""
    untouched = {folder.name: folder for org, folder in entries.items() if org != touched}
    checked = [
        replace(honest(untouched[folder.name]), folder=folder) if folder.name in untouched else check(folder)
        for folder in find([forged])
    ]
    return [problem for entry in checked for problem in entry.problems] + entry_problems(forged, checked)


def test_honest_entries_are_not_refused(entries: Entries) -> None:
    assert problems(entries["lab"].parents[1], entries) == []


def test_there_are_many_ways_to_cheat() -> None:
    assert len(FORGERIES) >= 80


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(name: str, entries: Entries, tmp_path: Path) -> None:
    change, reason, of = FORGERIES[name]
    forged = Forgery(entries[of], tmp_path / "submissions")
    change(forged)
    forged.save()
    refused = problems(forged.root, entries, of)
    print(*refused, sep="\n")
    assert any(reason in problem for problem in refused), refused


ARCHIVED: dict[str, tuple[Change, str]] = {
    "raise_a_recovery": (
        lambda f: f.content["scores"]["causes"][0]["submission"].update(treated=1.0), "submission.treated is claimed"
    ),
    "drop_the_hard_items": (lambda f: drop(f, f.rows() & (f.column("p") < 0.2)), "probes are missing"),
    "swap_the_arms": (swap_the_arms, "name another item, arm or cause"),
    "shrink_the_vanilla_run": (
        lambda f: (f.set_p(f.rows(), f.column("p").astype(float) * 0.2), f.rescore()), "stopped too early"
    ),
    "call_it_schema_3": (lambda f: f.content.update(schema_version=3), "runs: Field required"),
    "keep_an_old_run_id": (keep_an_old_run_id, "run_id is not the hash of the content"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVED)
def test_a_forged_entry_of_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    change, reason = ARCHIVED[name]
    forged = Forgery(archived_entry(tmp_path / "honest"), tmp_path / "submissions")
    change(forged)
    forged.save()
    refused = check(forged.folder).problems
    assert any(reason in problem for problem in refused), refused


def test_nothing_is_added_to_the_archive(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "submissions"
    old.mkdir()
    folder = archived_entry(new)
    assert check_all([new]).problems == []
    assert check_all([new], old).problems == [
        f"{folder} is of schema 2, and dataset 2 is closed: train and submit on a dataset of version 3"
    ]


def test_nothing_vanishes_and_nothing_is_rewritten(entries: Entries, tmp_path: Path) -> None:
    old, new = entries["lab"].parents[1], tmp_path / "submissions"
    shutil.copytree(old, new)
    assert history_problems(old, new) == []
    rival = next(new.glob("rival__*/*"))
    text = (rival / "submission.json").read_text()
    (rival / "submission.json").write_text(text.replace('"rival"', '"rivals"'))
    assert "was changed" in history_problems(old, new)[0]
    shutil.rmtree(rival.parent)
    assert all("was removed" in problem for problem in history_problems(old, new))
    assert len(history_problems(old, new)) == 2
