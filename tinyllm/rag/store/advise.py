"""Which store is enough for so many vectors and so many questions a second, from measured costs.

The constants are from ``python benchmarks/retrieval_store.py`` (two cores with AVX-512, one thread, 384 wide, ten
nearest, with the chunks fetched). Another machine has others, and the order of the answers stays: exact search in one
file until a query takes too long, then a graph in this process, then a server.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigError

WIDTH = 384  # of the vectors that were measured
FETCH_MS, SCAN_MS = 0.1, 0.061  # SqliteStore: a query takes the first, and the second for every 1,000 vectors
GRAPH_MS = 0.5  # HnswlibStore, M 16, ef 64, at 10,000 to 100,000 vectors
GRAPH_BUILD_S = 0.5  # HnswlibStore: seconds for every 1,000 vectors, at 100,000 of them
SERVER_MS = 2.8  # PgVectorStore with an index
SCAN_BYTES, GRAPH_BYTES = 2_000, 2_200  # of memory for each vector; a server's is its own
PATIENCE_MS = 10.0  # a query that takes longer is felt beside the rest of an answer
SHARE = 0.5  # of one core; beyond that queries wait for each other


@dataclass(frozen=True, slots=True)
class Advice:
    """A store, and why.

    Args:
        store: its name in rag.store.
        query_ms: how long a query will take.
        memory_mb: what this process will need.
        why: in words.
    """

    store: str
    query_ms: float
    memory_mb: float
    why: str


def advise(n_vectors: int, qps: float = 1.0, dim: int = WIDTH, memory_gb: float = 8.0) -> Advice:
    """Say which store is enough.

    Args:
        n_vectors: how many there will be.
        qps: questions a second.
        dim: how wide the vectors are.
        memory_gb: how much memory this process may take.

    Raises:
        ConfigError: a number below 0, or a width of 0.

    Example:
        >>> advise(20_000).store, advise(500_000).store, advise(500_000, qps=5000).store
        ('SqliteStore', 'HnswlibStore', 'PgVectorStore')
    """
    if n_vectors < 0 or not qps >= 0 or dim < 1 or not memory_gb > 0:
        raise ConfigError(f"advise: {n_vectors} vectors of width {dim}, {qps} a second, {memory_gb} GB of memory")
    wide, thousands = dim / WIDTH, n_vectors / 1000
    scan = FETCH_MS + SCAN_MS * wide * thousands
    scan_mb, graph_mb = (n_vectors * each * wide / 1e6 for each in (SCAN_BYTES, GRAPH_BYTES))
    if scan <= PATIENCE_MS and qps * scan <= 1000 * SHARE and scan_mb <= 1000 * memory_gb:
        why = f"exact search takes {scan:.1f} ms, {qps * scan / 10:.0f} % of a core; nothing to install or to build"
        return Advice("SqliteStore", scan, scan_mb, why)
    slow = f"exact search would take {scan:.0f} ms, {qps * scan / 10:.0f} % of a core"
    if qps * GRAPH_MS * wide <= 1000 * SHARE and graph_mb <= 1000 * memory_gb:
        built = f"after {GRAPH_BUILD_S * thousands:.0f} s of building"
        why = f"{slow}; a graph finds nearly all in {GRAPH_MS * wide:.1f} ms, {built}"
        return Advice("HnswlibStore", GRAPH_MS * wide, graph_mb, why)
    why = (
        f"{slow}, and a graph {graph_mb / 1000:.1f} GB of this process; a server's cores and memory are shared by many"
    )
    return Advice("PgVectorStore", SERVER_MS * wide, 0.0, why)
