"""Advice moves on in one direction as vectors and questions grow, and the benchmark behind it runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.rag import store as stores
from tinyllm.rag.store import advise

ORDER = ["SqliteStore", "HnswlibStore", "PgVectorStore"]


def test_small_is_one_file_and_large_is_a_server():
    assert advise(0).store == advise(100_000).store == "SqliteStore"
    assert advise(100_000, qps=200).store == "HnswlibStore"
    assert advise(100_000, dim=1536).store == "HnswlibStore"
    assert advise(10_000_000).store == advise(1_000_000, memory_gb=2).store == "PgVectorStore"
    assert "ms" in advise(100_000).why and 5 < advise(100_000).query_ms < 10


def test_more_never_leads_back():
    for sizes in ([(10**e, 1.0) for e in range(9)], [(50_000, 4.0**e) for e in range(9)]):
        steps = [ORDER.index(advise(n, qps).store) for n, qps in sizes]
        assert steps == sorted(steps) and set(steps) == {0, 1, 2}
    assert all(hasattr(stores, name) for name in ORDER)


@pytest.mark.parametrize("asked", [(-1,), (1, -1.0), (1, 1.0, 0), (1, float("nan")), (1, 1.0, 384, 0.0)])
def test_bad_numbers(asked):
    with pytest.raises(ConfigError, match="advise"):
        advise(*asked)


def test_the_benchmark_fills_and_asks(tmp_path, monkeypatch):
    folder = Path(__file__).parents[3] / "benchmarks"
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    spec = importlib.util.spec_from_file_location("retrieval_store", folder / "retrieval_store.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    with kernels.use("numpy"):
        assert benchmark.fill("sqlite", tmp_path, 30)["disk_mb"] > 0.05
        row = benchmark.ask("sqlite", tmp_path, 30)
    assert row["recall"] == 1.0 and row["query_ms"] > 0 and row["open_s"] > 0
