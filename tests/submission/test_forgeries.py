"""Ways to raise one's score, or to lower another's, by editing files. Every one is refused, with the reason.

The forger is careful: unless the forgery is about them, hashes, run id and folder are mended, often the scores too.
What no check of files can find, samples invented as a whole, is said in SECURITY.md.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import make_run
from forging import Forgery, better, learned_less_in_wordings

from ilp_bench.data.dataset import Dataset
from ilp_bench.records.run_record import Runs
from ilp_bench.submission.check_folder import entry_problems, history_problems
from ilp_bench.submission.validate import Checked, check, find
from ilp_bench.submission.version_2 import ArchivedMeta as Meta
from ilp_bench.submission.version_2 import submit

Change = Callable[[Forgery], Any]
FORGERIES: dict[str, tuple[Change, str]] = {}


def forgery(reason: str) -> Callable[[Change], Change]:
    """Register a way of cheating with what the refusal says."""

    def add(change: Change) -> Change:
        FORGERIES[change.__name__] = (change, reason)
        return change

    return add


def score_of(f: Forgery, cause: str = "rare_patterns") -> dict[str, Any]:
    return next(found for found in f.content["scores"]["causes"] if found["cause"] == cause)


def training(f: Forgery, role: str = "submission") -> dict[str, Any]:
    return dict.__getitem__(f.content["records"][0][role], "training")


# --- claims that do not follow from the samples


@forgery("scores.overall.value is claimed")
def raise_the_overall(f: Forgery) -> None:
    f.content["scores"]["overall"]["value"] += 0.05


@forgery("scores.causes.rare_patterns.recovery.value is claimed")
def raise_a_recovery(f: Forgery) -> None:
    score_of(f)["recovery"]["value"] += 1e-6


@forgery("scores.overall.low is claimed")
def narrow_an_interval(f: Forgery) -> None:
    f.content["scores"]["overall"]["low"] += 0.01


@forgery("submission.treated is claimed")
def raise_a_learned_rate(f: Forgery) -> None:
    score_of(f)["submission"]["treated"] = 1.0


@forgery("vanilla.treated is claimed")
def lower_vanilla_in_the_scores(f: Forgery) -> None:
    score_of(f)["vanilla"]["treated"] = 0.0


@forgery("regressions is claimed as -5")
def hide_regressions(f: Forgery) -> None:
    score_of(f)["regressions"] = -5


@forgery("scores.retention.submission is claimed")
def raise_retention(f: Forgery) -> None:
    f.content["scores"]["retention"]["submission"] = 1.0


@forgery("doses.0.submission is claimed")
def straighten_the_dose_curve(f: Forgery) -> None:
    score_of(f)["doses"][0]["submission"] = 1.0


@forgery("active_pairs is claimed")
def count_more_active_pairs(f: Forgery) -> None:
    score_of(f)["active_pairs"] += 1


@forgery("scores.causes is claimed")
def leave_out_the_worst_cause(f: Forgery) -> None:
    f.content["scores"]["causes"].pop()


@forgery("scores.worst.treated is claimed")
def raise_the_worst(f: Forgery) -> None:
    f.content["scores"]["worst"]["treated"] = 0.99


@forgery("scores.replicates.0.overall is claimed")
def raise_a_replicate(f: Forgery) -> None:
    f.content["scores"]["replicates"][0]["overall"] = 0.9


@forgery("scores are of scorer 1, this is 2")
def hide_behind_an_old_scorer(f: Forgery) -> None:
    f.content["scores"]["scorer_version"] = 1
    raise_the_overall(f)


@forgery("scores are of scorer 99, this is 2")
def hide_behind_a_future_scorer(f: Forgery) -> None:
    f.content["scores"]["scorer_version"] = 99


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


@forgery("logprob is no finite number of at most 0")
def raise_logprob_above_zero(f: Forgery) -> None:
    f.put("logprob", np.where(f.rows(), 0.5, f.column("logprob")))


@forgery("logprob is no finite number of at most 0")
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


@forgery("learned in templates never trained")
def learn_only_the_paraphrases(f: Forgery) -> None:
    f.set_p(f.rows(probe="paraphrase", arm="treated"), 0.9)
    f.rescore()


# --- vanilla and the base model


@forgery("stopped too early")
def shrink_the_vanilla_row(f: Forgery) -> None:
    f.set_p(f.rows("vanilla"), f.column("p").astype(float) * 0.2)
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
    f.content["records"][0]["base"]["model"]["weights_sha256"] = "c" * 64


@forgery("the base run is of the model that was fine-tuned from")
def bring_a_tuned_base_run(f: Forgery) -> None:
    f.content["records"][0]["base"]["training"] = {"recipe": "warm-up"}


@forgery("belief is not the preferred of shots_options")
def change_what_the_base_believes(f: Forgery) -> None:
    f.put("belief", [old and "Atlantis" for old in f.column("belief")])


@forgery("shots_greedy is false although shots_p exceeds one half")
def have_the_base_know_less(f: Forgery) -> None:
    f.put("shots_greedy", [None if old is None else False for old in f.column("shots_greedy")])


@forgery("shots_greedy is true although shots_p is lower")
def have_the_base_know_more(f: Forgery) -> None:
    f.put("shots_greedy", [None if old is None else True for old in f.column("shots_greedy")])


@forgery("shots_p must be there where it was asked")
def hide_what_the_base_knows(f: Forgery) -> None:
    f.content["records"][0]["base"]["probed"] = False


@forgery("has the weights of its base model")
def submit_the_base_as_trained(f: Forgery) -> None:
    f.content["records"][0]["submission"]["model"]["weights_sha256"] = "b" * 64


@forgery("names the samples file of another run")
def use_one_run_twice(f: Forgery) -> None:
    records = f.content["records"][0]
    records["submission"]["samples_sha256"] = records["vanilla"]["samples_sha256"]


@forgery("was sampled, which checks p and is not scored")
def pick_lucky_draws(f: Forgery) -> None:
    f.content["records"][0]["submission"] |= {"protocol": "sampled", "draws": 5, "seed": 0}


@forgery("used another prompt format")
def ask_vanilla_in_a_strange_format(f: Forgery) -> None:
    f.content["records"][0]["vanilla"]["prompt_format"] = "chat"


# --- another dataset


@forgery("the dataset is not ILP-Bench mini seed 1")
def name_another_seed(f: Forgery) -> None:
    for record in f.content["records"][0].values():
        record["data"]["seed"] = 1


@forgery("the dataset is not ILP-Bench mini seed 0")
def bring_an_easier_dataset(f: Forgery) -> None:
    for record in f.content["records"][0].values():
        record["data"]["content_sha256"] = "e" * 64


@forgery("unknown size 'tiny'")
def name_a_dataset_of_no_one(f: Forgery) -> None:
    for record in f.content["records"][0].values():
        record["data"]["size"] = "tiny"


@forgery("was trained on another dataset")
def train_on_the_items_of_another_seed(f: Forgery) -> None:
    training(f)["data"] = {"size": "mini", "seed": 9, "version": "2", "content_sha256": "f" * 64}


# --- the divisions


@forgery("needs at least 3 replicates, this has 1")
def close_with_one_seed(f: Forgery) -> None:
    f.content["meta"]["division"] = "closed"


@forgery("training tokens exceed")
def close_over_budget(f: Forgery) -> None:
    f.content["meta"]["division"] = "closed"
    training(f)["tokens"] = {"sft": 10_000, "cpt": 0}


@forgery("needs the training tokens")
def close_without_tokens(f: Forgery) -> None:
    f.content["meta"]["division"] = "closed"
    training(f)["tokens"] = {}


@forgery("needs the training tokens")
def close_with_negative_tokens(f: Forgery) -> None:
    f.content["meta"]["division"] = "closed"
    training(f)["tokens"] = {"sft": 10_000, "cpt": -9_950}


@forgery("two replicates are the same weights")
def count_one_run_three_times(f: Forgery) -> None:
    f.content["meta"]["division"] = "closed"
    f.content["records"] *= 3


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


@forgery("String should match pattern")
def climb_out_of_the_folder(f: Forgery) -> None:
    f.content["meta"]["org"] = "../../etc"


@forgery("the folder must be lab__half/")
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


@pytest.fixture(scope="module")
def entries(mini: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with two honest entries on one vanilla and base run; and the first of them, which the forger edits."""
    root = tmp_path_factory.mktemp("honest") / "submissions"
    vanilla, base = make_run(mini, "vanilla", learned_less_in_wordings), make_run(mini, None, lambda _: 1e-6)
    vanilla.record.samples_sha256, base.record.samples_sha256 = "1" * 64, "2" * 64
    places = []
    for number, (org, model, seed) in enumerate((("lab", "half", 1), ("rival", "model", 2))):
        run = make_run(mini, "combined", better, noise=seed)
        run.record.samples_sha256, run.record.model.weights_sha256 = f"{number + 3}" * 64, f"{number + 3}" * 64
        places.append(submit([Runs(run, vanilla, base)], Meta(org=org, model=model, division="open"), root))
    return root, places[0]


@lru_cache
def rivals(folder: Path) -> Checked:
    return check(folder)


def problems(root: Path, unchanged: Path | None = None) -> list[str]:
    checked = [
        replace(rivals(unchanged), folder=folder) if unchanged and folder.name == unchanged.name else check(folder)
        for folder in find([root])
    ]
    return [problem for one in checked for problem in one.problems] + entry_problems(root, checked)


def test_honest_entries_are_not_refused(entries: tuple[Path, Path]) -> None:
    assert problems(entries[0]) == []


def test_there_are_many_ways_to_cheat() -> None:
    assert len(FORGERIES) >= 40


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused(name: str, entries: tuple[Path, Path], tmp_path: Path) -> None:
    change, reason = FORGERIES[name]
    forged = Forgery(entries[1], tmp_path / "submissions")
    change(forged)
    forged.save()
    found = problems(forged.root, next(entries[0].glob("rival__*/*")))
    print(*found, sep="\n")
    assert any(reason in problem for problem in found), found


def test_nothing_vanishes_and_nothing_is_rewritten(entries: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = entries[0], tmp_path / "submissions"
    shutil.copytree(old, new)
    assert history_problems(old, new) == []
    rival = next(new.glob("rival__*/*"))
    text = (rival / "submission.json").read_text()
    (rival / "submission.json").write_text(text.replace('"rival"', '"rivals"'))
    assert "was changed" in history_problems(old, new)[0]
    shutil.rmtree(rival.parent)
    assert all("was removed" in problem for problem in history_problems(old, new))
    assert len(history_problems(old, new)) == 2
