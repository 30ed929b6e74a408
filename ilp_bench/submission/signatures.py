"""Signatures of re-runs: Ed25519 over a record and the run id of the entry, by a key that the maintainers list.

Signing and checking is left to the package ``cryptography``. A private key is a PEM file, such as
``openssl genpkey -algorithm ed25519 -out key.pem`` makes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ilp_bench.core.errors import UsageError
from ilp_bench.submission.owners import SigningKey
from ilp_bench.submission.rerun_record import Verification

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def read_private_key(file: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises UsageError where it holds no Ed25519 key without a password."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{file} cannot be read as a private key in PEM without a password: make one with "
            "'openssl genpkey -algorithm ed25519'"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{file} holds a key of another kind: make one with 'openssl genpkey -algorithm ed25519'")
    return key


def public_key(key: Ed25519PrivateKey) -> str:
    """The public key that belongs to a private one, in hexadecimal, as ``owners.json`` lists it."""
    return str(key.public_key().public_bytes_raw().hex())


def sign(record: Verification, run_id: str, key: Ed25519PrivateKey) -> Verification:
    """The record with its signature, which holds for the entry of that run id alone."""
    record = Verification.model_validate(record.model_dump())  # every field counts as given, as once it is written
    return record.model_copy(update={"signature": key.sign(_signed_bytes(record, run_id)).hex()})


def signer(record: Verification, run_id: str, keys: Sequence[SigningKey]) -> str | None:
    """Whose listed key signed a record of an entry; None where none did."""
    if not record.signature:
        return None
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key)).verify(
                bytes.fromhex(record.signature), _signed_bytes(record, run_id)
            )
        except (InvalidSignature, ValueError):
            continue
        return key.by
    return None


def _signed_bytes(record: Verification, run_id: str) -> bytes:
    """What is signed: the fields that a record gives, so that a field added later changes no earlier signature."""
    fields = record.model_dump(mode="json", exclude={"signature"}, exclude_unset=True)
    return json.dumps({"run_id": run_id, "record": fields}, sort_keys=True, separators=(",", ":")).encode()
