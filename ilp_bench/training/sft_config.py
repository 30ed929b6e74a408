"""TRL's configuration for one GPU a process; a module of its own, because TRL saves it by name and is optional."""

from __future__ import annotations

from trl import SFTConfig


class OneGpuConfig(SFTConfig):  # type: ignore[misc]
    """An ``SFTConfig`` under which several GPUs are for ``accelerate launch``, not for DataParallel."""

    @property
    def n_gpu(self) -> int:
        """GPUs of this process: at most one."""
        return min(1, int(super().n_gpu))
