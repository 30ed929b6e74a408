"""The processes of one training, as ``accelerate launch`` or ``torchrun`` start them; one, where nobody did."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Processes:
    """``rank`` of ``world`` processes; the first one writes, all of them compute."""

    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.world > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()


def processes(device: str) -> Processes:
    """Join the others: gloo between CPU processes, what accelerate chooses between GPUs."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=device == "cpu")
    return Processes(state.process_index, state.num_processes)
