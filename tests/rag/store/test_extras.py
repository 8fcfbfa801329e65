"""Stores whose package is not installed say which extra brings it, before they make any file."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tinyllm.errors import ConfigError
from tinyllm.rag import store as stores

EXTRAS = {
    "FaissStore": ("faiss", "faiss"),
    "HnswlibStore": ("hnswlib", "hnswlib"),
    "PgVectorStore": ("psycopg", "pg"),
    "SqliteVecStore": ("sqlite_vec", "sqlite-vec"),
    "UsearchStore": ("usearch.index", "usearch"),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_package_is_named_with_its_extra(name, tmp_path, monkeypatch):
    module, extra = EXTRAS[name]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ConfigError, match=re.escape(f'{name} needs the package {module}. Try: pip install "tinyllm[{extra}]"')
    ):
        getattr(stores, name)(str(tmp_path / "store.db"), "e", 4)
    assert list(tmp_path.iterdir()) == []


def test_every_extra_is_declared():
    settings = tomllib.loads(Path(__file__).parents[3].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    assert {extra for _, extra in EXTRAS.values()} <= set(settings["project"]["optional-dependencies"])


def test_a_python_whose_sqlite_loads_no_extensions(tmp_path, monkeypatch):
    import sqlite3
    from types import ModuleType

    monkeypatch.setitem(sys.modules, "sqlite_vec", ModuleType("sqlite_vec"))
    monkeypatch.setattr(sqlite3, "Connection", ModuleType("Connection"))
    with pytest.raises(ConfigError, match="loads no extensions"):
        stores.SqliteVecStore(tmp_path / "store.db", "e", 4)
    assert list(tmp_path.iterdir()) == []
