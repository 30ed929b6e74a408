"""``owners.json``: who may write what into a folder of submissions, and whose keys sign re-runs.

The file counts as it stands in the earlier state, which for a pull request is the branch that it goes to: nobody gives
themselves a right by the request that uses it.

{"maintainers": ["octocat"],
 "organisations": {"lab": ["their-login"]},
 "keys": [{"by": "octocat", "public_key": "<64 hex digits>"}]}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ilp_bench.core.errors import ProblemError
from ilp_bench.core.files import read_strict_json
from ilp_bench.core.untrusted import skeleton, value_problems
from ilp_bench.records.run_record import first_problem
from ilp_bench.submission.decisions import DECISIONS_FILE
from ilp_bench.submission.fields import Name, Sha256
from ilp_bench.submission.rerun_record import VERIFICATION_FILE
from ilp_bench.submission.summary_table import ARCHIVE_FILE, TABLE_FILE

OWNERS_FILE = "owners.json"
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}$")]


class SigningKey(BaseModel):
    """An Ed25519 public key, as hexadecimal digits of its 32 bytes, and whose it is."""

    model_config = ConfigDict(extra="forbid")

    by: Login
    public_key: Sha256


class Owners(BaseModel):
    """The file: logins of those who keep the board, of those who speak for an organisation, and keys of re-runs."""

    model_config = ConfigDict(extra="forbid")

    maintainers: list[Login] = Field(default=[], max_length=100)
    organisations: dict[Name, list[Login]] = Field(default={}, max_length=10_000)
    keys: list[SigningKey] = Field(default=[], max_length=100)

    def is_maintainer(self, login: str) -> bool:
        """Whether a login is on the list; case does not count in logins."""
        return login.casefold() in {name.casefold() for name in self.maintainers}

    def may_add(self, login: str, org: str, taken: set[str]) -> str | None:
        """Why a login may not add an entry of an organisation, or None; ``taken`` has those with entries already."""
        owners = self.organisations.get(org)
        if owners is not None:
            is_owner = login.casefold() in {name.casefold() for name in owners}
            return None if is_owner else f"organisation {org} is of {', '.join(owners)}"
        if org in taken:
            return f"organisation {org} has entries and no owner yet: ask a maintainer to add one to {OWNERS_FILE}"
        like = next((name for name in {*taken, *self.organisations} if skeleton(name) == skeleton(org)), None)
        return f"organisation {org} can be taken for {like}" if like else None


def read_owners(submissions: Path) -> Owners:
    """The owners of a folder of submissions; without a file, nobody. Raises ProblemError for a damaged file."""
    file = submissions / OWNERS_FILE
    if not file.is_file():
        return Owners()
    content = read_strict_json(file)
    if problems := list(value_problems(content)):
        raise ProblemError(f"{file}: {problems[0]}")
    try:
        return Owners.model_validate(content, strict=True)
    except ValidationError as error:
        raise ProblemError(f"{file}: {first_problem(error)}") from error


def changed_files(old: Path, new: Path) -> list[tuple[str, Path]]:
    """What was done to which file, ``added``, ``changed`` or ``removed``, relative to the folder, in order."""
    before, after = (_files(root) for root in (old, new))
    changes = [("removed", name) for name in before - after] + [("added", name) for name in after - before]
    changes += [("changed", name) for name in before & after if (old / name).read_bytes() != (new / name).read_bytes()]
    return sorted(changes, key=lambda change: change[1])


def _files(root: Path) -> set[Path]:
    """Every file and link below a folder, hidden ones too."""
    return {
        path.relative_to(root)
        for path in root.rglob("*")
        if (path.is_symlink() or path.is_file()) and ".git" not in path.relative_to(root).parts[:1]
    }


def authority_problems(old: Path, new: Path, login: str) -> Iterator[str]:
    """What a login changed and may not change; maintainers and owners are those of the earlier state.

    A stranger adds entries of an organisation that is theirs or nobody's, with the tables' rows of them.
    """
    owners = read_owners(old)
    if owners.is_maintainer(login):
        return
    taken = {folder.name.split("__")[0] for folder in old.glob("[!.]*__*") if folder.is_dir()}
    for change, name in changed_files(old, new):
        if reason := _refusal(owners, change, name, login, taken):
            yield f"{new / name} was {change} by {login}, who may not: {reason}"


def _refusal(owners: Owners, change: str, name: Path, login: str, taken: set[str]) -> str | None:
    """Why a change is not theirs to make; None where it is."""
    if str(name) in (TABLE_FILE, ARCHIVE_FILE):  # what stands in them is compared with the entries, row by row
        return None if change != "removed" else "the tables stay"
    if name.name == VERIFICATION_FILE or str(name) == DECISIONS_FILE:
        return "decisions and re-runs are the maintainers'"
    parts = name.parts
    if len(parts) != 3 or "__" not in parts[0] or any(part.startswith(".") for part in parts):
        return "only entries are added by others than maintainers"
    if change != "added":
        return "entries stay as they are"
    return owners.may_add(login, parts[0].split("__")[0], taken)
