"""Who may write what, read from the earlier state; and re-runs, which only a listed key can sign."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from forging import honest_entry
from points_entries import write_entry

from ilp_bench.core.errors import UsageError
from ilp_bench.submission.check_folder import check_all
from ilp_bench.submission.decisions import Decision, decide, read_decisions
from ilp_bench.submission.owners import OWNERS_FILE, SigningKey, authority_problems
from ilp_bench.submission.rerun_record import Public, Unseen, Verification, add_verification
from ilp_bench.submission.rerun_work import require_outside
from ilp_bench.submission.signatures import public_key, read_private_key, sign, signer

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2))
OWNERS = {
    "maintainers": ["Keeper"],
    "organisations": {"lab": ["lab-login"]},
    "keys": [{"by": "Keeper", "public_key": public_key(KEY)}],
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("owners") / "submissions"
    honest_entry(root, org="lab")
    honest_entry(root, org="ownerless", base="other")
    (root / OWNERS_FILE).write_text(json.dumps(OWNERS))
    return root


@pytest.fixture
def new(old: Path, tmp_path: Path) -> Path:
    shutil.copytree(old, tmp_path / "submissions")
    return tmp_path / "submissions"


def entry_of(root: Path, org: str = "lab") -> Path:
    return next(root.glob(f"{org}__*/*"))


def refused(old: Path, new: Path, login: str = "stranger") -> str:
    return "\n".join(authority_problems(old, new, login))


def add_entry(root: Path, org: str) -> None:
    shutil.copytree(entry_of(root), root / f"{org}__fresh" / "0123456789abcdef")


def test_a_stranger_adds_entries_of_an_organisation_of_their_own(old: Path, new: Path) -> None:
    add_entry(new, "fresh")
    (new / "table.csv").write_text("")
    assert refused(old, new) == ""


@pytest.mark.parametrize(
    ("org", "login", "reason"),
    [
        ("lab", "stranger", "organisation lab is of lab-login"),
        ("ownerless", "stranger", "has entries and no owner yet"),
        ("Iab", "stranger", "can be taken for lab"),
        ("lab", "lab-login", ""),
        ("lab", "LAB-login", ""),
        ("ilp-bench", "keeper", ""),
    ],
)
def test_organisations_are_of_their_owners(org: str, login: str, reason: str, old: Path, new: Path) -> None:
    add_entry(new, org)
    problems = refused(old, new, login)
    assert reason in problems
    assert bool(reason) == bool(problems)


def test_nobody_gives_themselves_a_right(old: Path, new: Path) -> None:
    (new / OWNERS_FILE).write_text(json.dumps(OWNERS | {"maintainers": ["stranger"]}))
    assert "owners.json was changed by stranger, who may not" in refused(old, new)


def write_decision(root: Path) -> None:
    (root / "decisions.jsonl").write_text("{}\n")


def write_verification(root: Path) -> None:
    (entry_of(root) / "verification.json").write_text("{}")


def write_attributes(root: Path) -> None:
    (root / ".gitattributes").write_text("*.jsonl merge=union\n")


def write_into_a_hidden_folder(root: Path) -> None:
    (root / ".lab__model").mkdir()
    (root / ".lab__model" / "x").write_text("")


def write_into_a_hidden_run(root: Path) -> None:
    hidden = root / "fresh__model" / ".hidden"
    hidden.mkdir(parents=True)
    (hidden / "submission.json").write_text("{not json")


def change_the_readme(root: Path) -> None:
    (root / "README.md").write_text("Send money.")


def change_an_entry(root: Path) -> None:
    (entry_of(root) / "submission.json").write_text("{}")


def remove_an_entry(root: Path) -> None:
    shutil.rmtree(entry_of(root).parent)


def link_an_entry(root: Path) -> None:
    (root / "fresh__model").symlink_to(root / "lab__model")


CHANGES = (
    write_decision,
    write_verification,
    write_attributes,
    write_into_a_hidden_folder,
    write_into_a_hidden_run,
    change_the_readme,
    change_an_entry,
    remove_an_entry,
    link_an_entry,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_all_else_is_the_maintainers(change: object, old: Path, new: Path) -> None:
    assert callable(change)
    change(new)
    assert "by lab-login, who may not" in refused(old, new, "lab-login")
    assert refused(old, new, "Keeper") == ""


RECORD = Verification(
    by="Keeper",
    date="2026-11-20",
    ilp_bench="0.1.0",
    versions={},
    hardware="made up",
    public=Public(status="agrees", tolerance=0.001),
    unseen=Unseen(status="not possible", how="not possible"),
)


def test_a_rerun_counts_only_with_a_signature_of_a_listed_key(old: Path, new: Path) -> None:
    entry = entry_of(new)
    signed = sign(RECORD, entry.name, KEY)
    add_verification(entry, signed)
    assert check_all([new]).problems == []
    for record in (RECORD, sign(RECORD, entry.name, OTHER), sign(RECORD, "0" * 16, KEY)):
        (entry / "verification.json").unlink()
        add_verification(entry, record)
        (problem,) = check_all([new]).problems
        assert "records.0 is signed by no key in owners.json" in problem
    better = signed.model_copy(update={"public": Public(status="agrees", tolerance=1.0)})
    assert signer(better, entry.name, [SigningKey(by="Keeper", public_key=public_key(KEY))]) is None


def test_a_field_that_is_added_later_changes_no_signature() -> None:
    """A record of before ``runs`` and ``reason`` were added: what is signed are the fields that it gives."""
    keys = [SigningKey(by="Keeper", public_key=public_key(KEY))]
    content = sign(RECORD, "0" * 16, KEY).model_dump(mode="json")
    assert signer(Verification.model_validate(content), "0" * 16, keys) == "Keeper"
    del content["public"]["runs"], content["public"]["reason"], content["signature"]
    text = json.dumps({"run_id": "0" * 16, "record": content}, sort_keys=True, separators=(",", ":"))
    old = Verification.model_validate(content | {"signature": KEY.sign(text.encode()).hex()})
    assert signer(old, "0" * 16, keys) == "Keeper"
    added = content | {"public": content["public"] | {"runs": {"vanilla": {"again": 1, "of": 1}}}}
    forged = Verification.model_validate(added | {"signature": old.signature})
    assert signer(forged, "0" * 16, keys) is None


def test_a_key_counts_where_the_authority_lies(old: Path, new: Path) -> None:
    (new / OWNERS_FILE).write_text(json.dumps(OWNERS | {"keys": [{"by": "me", "public_key": public_key(OTHER)}]}))
    add_verification(entry_of(new), sign(RECORD, entry_of(new).name, OTHER))
    assert check_all([new]).problems == []
    assert any("signed by no key" in problem for problem in check_all([new], old).problems)


def test_private_keys_are_read_from_pem_files(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert public_key(read_private_key(file)) == public_key(KEY)
    file.write_text("no key")
    with pytest.raises(UsageError, match="cannot be read as a private key"):
        read_private_key(file)


def test_results_are_not_kept_beside_the_entries(new: Path, tmp_path: Path) -> None:
    require_outside(tmp_path / "elsewhere", entry_of(new))
    with pytest.raises(UsageError, match="may hold results of others"):
        require_outside(new / "verify", entry_of(new))


def _decide(task: tuple[Path, int]) -> None:
    root, number = task
    entry = entry_of(root)
    about = {"run_id": entry.name, "entry": f"{entry.parent.name}/{entry.name}", "decision": "flagged"}
    decide(root, Decision.model_validate(about | {"reason": str(number), "date": "2026-11-24", "by": "me"}))


def test_decisions_of_two_processes_are_all_kept(new: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_decide, [(new, number) for number in range(24)]))
    assert sorted(int(line.reason) for line in read_decisions(new).history) == list(range(24))


def test_the_check_with_a_login(old: Path, new: Path) -> None:
    write_entry(new, org="fresh", base="third", seeds=(0,), division="open")
    assert check_all([new], old, "stranger").problems == []
    write_attributes(new)
    (problem,) = check_all([new], old, "stranger").problems
    assert ".gitattributes was added by stranger" in problem
