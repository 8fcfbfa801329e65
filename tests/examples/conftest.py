"""The examples as modules, loaded from their files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(path: Path) -> ModuleType:
    """Import a file under its own name, and do not leave it where others would find it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # while it runs: a dataclass looks itself up
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]
    return module


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the examples."""
    return EXAMPLES


@pytest.fixture(scope="session")
def llm() -> ModuleType:
    """The 500 lines."""
    return load(EXAMPLES / "llm_500_lines.py")


@pytest.fixture(scope="session")
def gpt100() -> ModuleType:
    """The 100 lines."""
    return load(EXAMPLES / "gpt_100_lines.py")


@pytest.fixture
def mutated(tmp_path):
    """What loads the 500 lines with some pieces of their text replaced by others."""

    def mutate(*pieces: tuple[str, str]) -> ModuleType:
        source = (EXAMPLES / "llm_500_lines.py").read_text(encoding="utf-8")
        for old, new in pieces:
            assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times"
            source = source.replace(old, new)
        path = tmp_path / "mutated.py"
        path.write_text(source, encoding="utf-8")
        return load(path)

    return mutate
