from __future__ import annotations

import json
import os
import sys

import pytest

from tinyllm.errors import CheckpointError, DataError
from tinyllm.train import metrics


@pytest.fixture
def path(tmp_path):
    """A file of metrics: an evaluation at 0, three steps, an evaluation and a sample at 3."""
    path = tmp_path / "metrics.jsonl"
    rows = metrics.Metrics(path)
    rows.write("eval", 0, val_loss=4.0)
    for step in (1, 2, 3):
        rows.write("step", step, loss=1 / step)
    rows.write("eval", 3, val_loss=0.1 + 0.2)
    rows.write("sample", 3, text="€\nline \u2028 end")
    rows.sync()
    rows.close()
    return path


def steps(path):
    return [(row["kind"], row["step"]) for row in metrics.read(path)]


def test_rows_come_back_to_the_last_bit(path):
    rows = metrics.read(path)
    assert rows[2] == {"kind": "step", "step": 2, "loss": 0.5}
    assert rows[4]["val_loss"] == 0.1 + 0.2 and rows[5]["text"] == "€\nline \u2028 end"
    assert len(path.read_bytes().split(b"\n")) == 7  # one line per row


def test_rows_are_there_at_once(tmp_path):
    rows = metrics.Metrics(tmp_path / "m.jsonl")
    rows.write("step", 1, loss=1.0)
    assert len(metrics.read(tmp_path / "m.jsonl")) == 1
    rows.close()


def test_a_half_written_last_line_is_passed_over(path):
    whole = path.read_bytes()
    for cut in range(len(whole) - 60, len(whole)):
        path.write_bytes(whole[:cut])
        assert len(metrics.read(path)) == whole[:cut].count(b"\n")


@pytest.mark.parametrize(("step", "kept"), [(-1, 0), (0, 1), (1, 2), (2, 3), (3, 6), (9, 6)])
def test_truncating_keeps_the_rows_up_to_a_step(path, step, kept):
    lines = path.read_bytes().splitlines(keepends=True)
    metrics.truncate(path, step)
    assert path.read_bytes() == b"".join(lines[:kept])


def test_truncating_cuts_a_half_written_line_so_that_the_next_row_is_whole(path):
    with open(path, "ab") as file:
        file.write(b'{"kind": "step", "st')
    metrics.truncate(path, 3)
    rows = metrics.Metrics(path)
    rows.write("step", 4, loss=0.25)
    rows.close()
    assert steps(path)[-1] == ("step", 4) and len(steps(path)) == 7


def test_a_file_that_is_not_there_has_no_rows(tmp_path):
    assert metrics.read(tmp_path / "m.jsonl") == []
    metrics.truncate(tmp_path / "m.jsonl", 3)
    assert not (tmp_path / "m.jsonl").exists()


@pytest.mark.parametrize("line", [b"hello\n", b'{"kind": "step"}\n', b"[1]\n", b'{"step": "x"}\n', b"\xff\xfe\n"])
def test_a_damaged_line_in_the_middle_is_named(path, line):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(DataError, match="line 3"):
        metrics.read(path)


def test_what_is_not_a_number_cannot_be_written(tmp_path):
    rows = metrics.Metrics(tmp_path / "m.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        rows.write("step", 1, loss=float("nan"))
    rows.close()
    assert metrics.read(tmp_path / "m.jsonl") == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_clear_line(tmp_path):
    path = tmp_path / "m.jsonl"
    path.symlink_to("/dev/full")
    rows = metrics.Metrics(path)
    with pytest.raises(CheckpointError, match="no space left on device; the checkpoint saved before is intact"):
        rows.write("step", 1, loss=1.0)
    rows.close()


def test_a_folder_that_is_missing_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="cannot write"):
        metrics.Metrics(tmp_path / "missing" / "m.jsonl")


def test_the_peak_is_a_plausible_number():
    assert 1e8 < metrics.measure_peak_flops(size=256, repeats=2) < 1e15


def test_every_line_is_json_for_other_tools(path):
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1])
    assert sys.getsizeof(path) > 0
