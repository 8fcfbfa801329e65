from __future__ import annotations

import subprocess
import sys

import pytest

from tinyllm.errors import CheckpointError
from tinyllm.train.lock import only_one

fcntl = pytest.importorskip("fcntl", reason="only systems with flock lock run folders")


def test_the_second_is_turned_away_until_the_first_is_done(tmp_path):
    with (
        only_one(tmp_path),
        pytest.raises(CheckpointError, match="another process is training here"),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass


def test_two_folders_do_not_know_each_other(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with only_one(tmp_path / "a"), only_one(tmp_path / "b"):
        pass


def test_a_process_that_dies_lets_go(tmp_path):
    code = (
        "import fcntl, os, sys\n"
        "file = open(sys.argv[1] + '/.lock', 'wb')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    with only_one(tmp_path):
        pass


def test_a_missing_folder_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="cannot write"), only_one(tmp_path / "missing"):
        pass
