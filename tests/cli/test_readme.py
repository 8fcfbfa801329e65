"""The README tells the truth: its code runs, its tree is the tree, its commands and pictures exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinyllm.cli.main import ALL, NAMES, parser_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in FENCES if language == "python"]


def test_there_are_examples():
    assert len(PYTHON) == 6


@pytest.mark.parametrize("code", PYTHON, ids=["train", "gradcheck", "tokens", "models", "rag", "op"])
def test_python_blocks_run_as_they_are(code, tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if "loss" in code:
        assert float(re.search(r"loss ([\d.]+) with", done.stdout)[1]) < 0.1


def test_the_two_commands_are_as_promised():
    section = README.split("## Two commands")[1].split("\n## ")[0]
    (commands,) = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    tests = "pip install -e '.[test]' && pytest -n auto --dist loadfile"
    assert commands.splitlines() == ["pip install -e . && tinyllm tour", tests]


def tree():
    """Read the file tree: path -> comment."""
    (block,) = [code for _, code in FENCES if code.startswith("tinyllm/\n")]
    found, parents = {}, []
    for line in block.splitlines():
        indent = len(line) - len(line.lstrip())
        name, _, comment = line.strip().partition(" ")
        parents = [*parents[: indent // 2], name]
        found["".join(parents)] = comment.strip()
    return found


def test_the_tree_is_the_tree():
    real = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tinyllm").rglob("*.py") if path.name != "__init__.py"
    }
    told = {path for path in tree() if path.endswith(".py")}
    assert told - real == set(), "the README tells of files that are not there"
    assert real - told == set(), "files without a line in the README"
    for path in tree():
        assert (ROOT / path).exists(), path


def test_every_file_has_its_comment():
    assert [path for path, comment in tree().items() if not comment and path != "tinyllm/"] == []


def test_commands_in_the_text_exist():
    for line in re.findall(r"tinyllm (?:[a-z]+ )[^`\n]*", " ".join(code for lang, code in FENCES if not lang)):
        words = line.split("  ")[0].split()
        name = both if (both := " ".join(words[1:3])) in ALL else words[1]
        assert name in ALL, line
        known = {flag for action in parser_of(name)._actions for flag in action.option_strings}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


def test_every_command_is_mentioned():
    assert [name for name in NAMES if f"tinyllm {name}" not in README] == []


def test_pictures_exist_are_small_and_have_a_description():
    pictures = re.findall(r'<img src="([^"]+)"[^>]*alt="([^"]+)"', README)
    assert len(pictures) == README.count("<img") == 2
    for path, alt in pictures:
        assert (ROOT / path).stat().st_size < 200_000
        assert len(alt) > 30


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_figure_that_is_quick_is_right():
    (code,) = re.findall(r'python -c "(.*?)"', README)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{int(done.stdout):,}" in README


def test_the_license_is_there():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License")
    assert "The tinyllm authors" in text
