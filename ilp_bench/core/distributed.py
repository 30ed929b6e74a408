"""The processes of one run, as ``accelerate launch`` or ``torchrun`` start them; a single one without a launcher."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Processes:
    """This process among those of a run: ``rank`` of ``world_size``, and ``local_rank`` on this machine.

    All processes compute; the main one, of rank 0, also writes and prints.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def device(self, device: str) -> str:
        """The device of this process: its own GPU where ``device`` names no particular one."""
        return f"cuda:{self.local_rank}" if device == "cuda" and self.world_size > 1 else device

    def wait(self) -> None:
        """Return once all processes have called this."""
        if self.world_size > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()


def launched_processes() -> Processes:
    """What the launcher told this process by environment variables; joins nothing."""
    rank, world_size, local_rank = (
        int(os.environ.get(name, default))
        for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )
    return Processes(rank, world_size, local_rank)


def is_sharded() -> bool:
    """Whether ``accelerate launch`` shards the model over the processes, by FSDP or DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_FSDP") == "true" or uses_deepspeed()


def uses_deepspeed() -> bool:
    """Whether ``accelerate launch`` starts DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"


def join_processes(device: str) -> Processes:
    """Connect to the other processes: by gloo between CPUs, by what accelerate chooses between GPUs."""
    launched = launched_processes()
    if launched.world_size == 1:
        return launched
    from accelerate import PartialState

    state = PartialState(cpu=device == "cpu")
    return Processes(state.process_index, state.num_processes, state.local_process_index)
