"""A tuned nano that the tests of diagnoses share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from broken_trainings import teach


@pytest.fixture(scope="session")
def taught(shared: Any) -> Path:
    return Path(shared("taught-nano", teach))
