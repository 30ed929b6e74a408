"""Axolotl's own schema reads every stage: unknown or wrong fields raise."""

from importlib.metadata import version
from pathlib import Path

import yaml
from axolotl.utils.schemas.config import AxolotlInputConfig

for file in sorted(Path().glob("stage-*.yaml")):
    settings = yaml.safe_load(file.read_text())
    unknown = set(settings) - set(AxolotlInputConfig.model_fields)
    assert not unknown, unknown
    config = AxolotlInputConfig(**settings)
    assert config.curriculum_sampling
    assert not config.sample_packing
    assert not config.shuffle_merged_datasets
    (rows,) = config.datasets
    assert (rows.type, rows.field_messages) == ("chat_template", "messages")
print(f"axolotl {version('axolotl')}: its schema takes every stage")
