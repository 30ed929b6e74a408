"""``ilp-bench`` with DeepSpeed between CPU processes, and gloo for the messages: its own way takes minutes to compile.

Everything else is as on GPUs: the launcher, the config file and ZeRO.
"""

from importlib import import_module
from typing import Any

from transformers import Trainer

from ilp_bench.cli.main import main

train = Trainer.train


def train_divided(self: Any, *args: Any, **options: Any) -> Any:
    done = train(self, *args, **options)
    assert type(self.model_wrapped).__name__ == "DeepSpeedEngine", type(self.model_wrapped)
    assert self.model_wrapped.zero_optimization_stage() == 2
    return done


if __name__ == "__main__":
    vars(import_module("deepspeed.comm.torch"))["build_shm_op"] = lambda: None
    Trainer.train = train_divided
    main()
