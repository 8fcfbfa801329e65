"""Mapped files: read-only, and let go of without losing them."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import CheckpointError
from tinyllm.models.formats.mapped import forget, map_file


def test_a_file_can_be_looked_at_again_after_it_was_let_go_of(tmp_path):
    values = np.arange(100_000, dtype=np.uint32)
    (tmp_path / "a").write_bytes(values.tobytes())
    data = map_file(tmp_path / "a")
    view = np.frombuffer(data, np.uint32)
    for _ in range(2):
        assert np.array_equal(view, values)
        forget(data)
    assert not view.flags.writeable
    forget(memoryview(b"no file"))


def test_what_is_no_file(tmp_path):
    (tmp_path / "empty").touch()
    for name, message in (("none", "no such file"), ("", "directory"), ("empty", "is empty")):
        with pytest.raises(CheckpointError, match=message):
            map_file(tmp_path / name)
