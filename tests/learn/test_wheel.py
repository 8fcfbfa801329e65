"""The wheel carries the lessons, so that the course works after an install."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_an_installed_course_is_whole(tmp_path):
    pytest.importorskip("setuptools", minversion="68", reason="setuptools is not installed")
    source, made, site = tmp_path / "source", tmp_path / "made", tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("tinyllm", "lessons"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    made.mkdir()
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(made)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(site)
    for path in (source / "lessons").rglob("*"):
        if path.suffix in {".py", ".md", ".svg"}:
            assert f"tinyllm_lessons/{path.relative_to(source / 'lessons').as_posix()}" in names
    assert {"tinyllm/py.typed", "tinyllm/tokenizer/unicode16.txt"} <= names
    assert {f"tinyllm/rag/evaluate/toy/{name}" for name in ("documents.jsonl", "queries.json")} <= names
    assert {path.name for path in (ROOT / "tinyllm" / "client" / "data").iterdir()} <= {
        name.removeprefix("tinyllm/client/data/") for name in names
    }
    shown = subprocess.run(
        [sys.executable, "-m", "tinyllm", "learn", "show", "00"], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(site), "PATH": "", "PYTHONUTF8": "1"}, check=True,
    )  # fmt: skip
    assert "Ten minutes to the whole stack" in shown.stdout
