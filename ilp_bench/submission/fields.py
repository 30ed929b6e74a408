"""What the fields of ``submission.json`` hold in every schema, and the hash that names an entry."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from ilp_bench.core.untrusted import skeleton

MAX_RUNS = 20  # of one role
NOT_CONTENT = frozenset({"run_id", "seconds", "resumed"})  # fields that a run id does not depend on


NAME = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$"


def _named(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError("use letters, digits, dots and hyphens, at most 64, the first and last a letter or digit")
    return name


Name = Annotated[str, AfterValidator(_named), WithJsonSchema({"type": "string", "pattern": NAME})]
Text = Annotated[str, StringConstraints(max_length=2000)]
Link = Annotated[
    str, StringConstraints(pattern=r"^(https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/%@#?=&+-]*)?)?$", max_length=300)
]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _real_date(text: str) -> str:
    """The date itself. Raises ValueError for one that no calendar has, or that is yet to come anywhere on Earth."""
    latest = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    if datetime.date.fromisoformat(text) > latest:
        raise ValueError(f"{text} is in the future")
    return text


Date = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_real_date)]
# One line of anything but control characters: a name of a person, a machine or a version.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=300)]


def run_id(content: dict[str, Any]) -> str:
    """Sixteen hex digits of a hash over the submission without its id; timings and restarts do not count."""

    def clean(value: Any) -> Any:
        if isinstance(value, list):
            return [clean(inner) if isinstance(inner, (dict, list)) else inner for inner in value]
        return {
            key: clean(inner) if isinstance(inner, (dict, list)) else inner
            for key, inner in value.items()
            if key not in NOT_CONTENT
        }

    text = json.dumps(clean(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def lookalikes(folders: Iterable[str]) -> Iterator[str]:
    """Folders ``org__model`` whose organisation, or model of one, has a name that can be taken for an earlier one's."""
    seen: dict[tuple[str, str], str] = {}
    for folder in folders:
        org, _, model = folder.partition("__")
        for key, name in ((("", skeleton(org)), org), ((org, skeleton(model)), model)):
            if seen.setdefault(key, name) != name:
                yield f"{folder}: {name!r} can be taken for {seen[key]!r}"
