"""The clock from save to verdict: it times right and wrong solutions, and each is judged as it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tinyllm.learn.exercises import lessons

ROOT = Path(__file__).parents[2]


def test_every_lesson_is_timed_and_told_right_from_wrong(tmp_path):
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "verdict.py"),
        "--quick",
        "--json",
        str(tmp_path / "rows.json"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    found = json.loads((tmp_path / "rows.json").read_text())
    rows = found["rows"]
    assert [row["exercise"] for row in rows[::2]] == [lesson.exercises[-1].id for lesson in lessons()]
    assert {row["state"] for row in rows[::2]} == {"passed"}
    assert {row["state"] for row in rows[1::2]} == {"failed"}
    assert all(row["seconds"] >= row["checking"] > 0 for row in rows)
    assert done.returncode == int(found["median"] >= found["aim"]["median"] or found["p95"] >= found["aim"]["p95"])
    assert not list(tmp_path.glob("my*"))
