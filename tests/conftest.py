"""What every test shares: reproducible randomness, plain output, and where the real data is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tinyllm.learn.pytest_plugin import pytest_addoption, pytest_configure

__all__ = ["pytest_addoption", "pytest_configure"]  # hooks: pytest finds them here

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("dev", deadline=None, max_examples=50)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed, new for every test."""
    return np.random.default_rng(1234)


def find_data(name: str) -> Path:
    """Find a file of the shared data in the folders of TINYLLM_DATA, or skip the test and say what is missing."""
    folders = [Path(folder) for folder in os.environ.get("TINYLLM_DATA", "").split(os.pathsep) if folder]
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"{name} is in no folder of TINYLLM_DATA ({len(folders)} given)")


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """What finds a file of the shared data, or skips the test."""
    return find_data


@pytest.fixture
def shakespeare() -> Path:
    """The 1,115,394 characters of tinyshakespeare."""
    return find_data("corpora/tinyshakespeare.txt")
