"""Why the Hub of Hugging Face gave nothing, in plain words."""

from __future__ import annotations


def hub_reason(error: Exception) -> str:
    """One phrase for what huggingface_hub raised: no network, no such repository, no access, or its own first line.

    Its errors are told by the names of their classes, so that the library need not be imported.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "GatedRepoError" in kinds:
        return "its licence must be accepted there first, and 'hf auth login' run here"
    if "RepositoryNotFoundError" in kinds:
        return "there is no such repository, or it is private and 'hf auth login' was not run"
    if "RevisionNotFoundError" in kinds:
        return "it has no such revision"
    if "OfflineModeIsEnabled" in kinds or "outgoing traffic has been disabled" in str(error):
        return "the Hub is switched off here (HF_HUB_OFFLINE is set)"
    if kinds & {"LocalEntryNotFoundError", "ConnectionError", "ConnectError"}:
        return "it cannot be reached from here"
    return (str(error).strip() or type(error).__name__).splitlines()[0]
