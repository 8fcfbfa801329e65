"""Machine code on disk: found again by what it was made from, and by nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyllm.kernels import cache
from tinyllm.kernels.cache import MachineCode
from tinyllm.kernels.jit.softmax import softmax_v2

ROOT = Path(__file__).parents[2]
OLD, NEW = "0" * 64, "1" * 64


@pytest.fixture(autouse=True)
def first_in_its_process():
    cache._sweep.cache_clear()
    yield
    cache._sweep.cache_clear()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_is_found_by_its_key_alone(tmp_path):
    code = MachineCode(tmp_path, "softmax_v3", NEW)
    code.save(("float32", "this machine"), [1, 2])
    code.save(("float64", "this machine"), [3, 4])
    again = MachineCode(tmp_path, "softmax_v3", NEW)
    assert again.load(("float32", "this machine")) == [1, 2]
    assert again.load(("float64", "this machine")) == [3, 4]
    assert again.load(("float32", "another machine")) is None
    assert MachineCode(tmp_path, "softmax_v2", NEW).load(("float32", "this machine")) is None
    assert MachineCode(tmp_path, "softmax_v3", OLD).load(("float32", "this machine")) is None
    again.flush()
    assert names(tmp_path) == []


def test_other_versions_of_numba_find_nothing(tmp_path, monkeypatch):
    code = MachineCode(tmp_path, "softmax_v3", NEW)
    code.save("key", 1)
    monkeypatch.setattr(cache, "_VERSIONS", ("0.1", "0.1"))
    assert code.load("key") is None
    code.save("key", 2)
    monkeypatch.undo()
    assert code.load("key") == 1


def test_changed_sources_leave_nothing_behind(tmp_path):
    (tmp_path / "somebody.elses-12.py311.1.nbc").write_bytes(b"")
    for stamp in (OLD, NEW, OLD, NEW):
        cache._sweep.cache_clear()
        MachineCode(tmp_path, "softmax_v3", stamp).save("key", stamp)
        MachineCode(tmp_path, "softmax_v2", stamp).save("key", stamp)
    assert len(names(tmp_path)) == 3
    assert MachineCode(tmp_path, "softmax_v3", NEW).load("key") == NEW


@pytest.mark.parametrize("damage", [b"", b"\x80", b"not what it was"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, damage):
    code = MachineCode(tmp_path, "softmax_v3", NEW)
    code.save("key", list(range(999)))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for text in (damage, whole[: len(whole) // 2]):
        path.write_bytes(text)
        assert code.load("key") is None
    code.save("key", 1)
    assert code.load("key") == 1


def test_a_file_under_a_wrong_name_is_not_believed(tmp_path):
    code = MachineCode(tmp_path, "softmax_v3", NEW)
    code.save("float32", "for float32")
    (path,) = tmp_path.iterdir()
    path.rename(code._path("float64"))
    assert code.load("float64") is None


def test_what_cannot_be_written_is_not_kept_and_nobody_minds(tmp_path, monkeypatch):
    code = MachineCode(tmp_path, "softmax_v3", NEW)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    code.save("key", 1)
    assert code.load("key") is None
    assert names(tmp_path) == []
    MachineCode(tmp_path / "gone", "softmax_v3", NEW).save("key", 1)


def test_the_kernels_are_kept_here():
    x = np.ones((2, 3), np.float32)
    x.flags.writeable = False  # as doors hand it over: the types it is compiled for anyway
    softmax_v2(x, np.empty((2, 3), np.float32))
    kept = softmax_v2._cache._cache_file
    assert isinstance(kept, MachineCode)
    assert list(kept.folder.glob(f"{kept.stamp[:8]}-softmax.softmax_v2-*.nbc"))


KERNEL = """
import sys
import numpy as np
from tinyllm.kernels.compiler import compiled

@compiled
def twice(x):
    return x + x

x = np.ones(3, sys.argv[1])
print(twice(x).dtype, sum(twice.stats.cache_hits.values()))
"""


def test_two_processes_at_once_for_two_types(tmp_path):
    """Numba's own index could give to one of them the machine code of the other."""
    (tmp_path / "kernel.py").write_text(KERNEL)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    for hits in (0, 1):
        both = [
            subprocess.Popen(
                [sys.executable, str(tmp_path / "kernel.py"), dtype],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for dtype in ("float32", "float64")
        ]
        assert [process.communicate(timeout=120)[0].split() for process in both] == [
            ["float32", str(hits)],
            ["float64", str(hits)],
        ]
