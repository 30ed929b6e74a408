"""``ilp-bench`` with FSDP between CPU processes, which accelerate calls MULTI_CPU and would not shard: it is told GPUs.

Everything else is as on GPUs: the launcher, the config file, torch's fully_shard, and gloo for the messages.
"""

from typing import Any

from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from transformers import Trainer

from ilp_bench.cli.main import main

start, train = AcceleratorState.__init__, Trainer.train


def init(self: Any, *args: Any, **options: Any) -> None:
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    start(self, *args, **options)


def train_sharded(self: Any, *args: Any, **options: Any) -> Any:
    done = train(self, *args, **options)
    assert type(self.model_wrapped).__name__.startswith("FSDP"), type(self.model_wrapped)
    return done


if __name__ == "__main__":
    AcceleratorState.__init__ = init
    Trainer.train = train_sharded
    main()
