"""Lists around centers, beyond the contract of all indexes."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import ConfigError
from tinyllm.rag.index import IVF, Flat


@pytest.fixture(autouse=True)
def numpy_kernels():
    with kernels.use("numpy"):
        yield


def two(x, **settings):
    index, exact = IVF(**settings), Flat()
    for one in (index, exact):
        one.add([str(i) for i in range(200)], x[:200])
        one.remove([str(i) for i in range(0, 60, 2)])
        one.add([str(i) for i in range(200, len(x))], x[200:])
    return index, exact


def test_probing_every_list_is_exact(rng):
    x = rng.standard_normal((300, 8))
    index, exact = two(x, lists=9, probes=9)
    assert index.search(x[:20], 7)[0] == exact.search(x[:20], 7)[0]
    index.probes = 8  # the lists are read one by one
    found = np.mean(
        [len(set(a) & set(b)) / 7 for a, b in zip(index.search(x[:20], 7)[0], exact.search(x[:20], 7)[0], strict=True)]
    )
    assert 0.95 < found <= 1


def test_few_probes_find_most_and_never_too_few(rng):
    x = rng.standard_normal((400, 8))
    index, exact = two(x, probes=4)
    found, best = index.search(x[:40], 5)[0], exact.search(x[:40], 5)[0]
    assert 0.5 < np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found, best, strict=True)]) < 1
    assert index.search(x[0], 300)[1].shape == (300,)
    assert len(index.search(x[0], 5, allow=["399", "5", "7"])[0]) == 3


def test_every_vector_finds_itself_with_one_probe(rng):
    x = rng.standard_normal((300, 8))
    index, _ = two(x, probes=1)
    live = [int(name) for name in index.ids]
    assert [line[0] for line in index.search(x[live], 1)[0]] == index.ids


def test_settings_are_checked():
    for wrong in ({"lists": 0}, {"probes": 0}, {"seed": -1}, {"probes": True}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            IVF(**wrong)
