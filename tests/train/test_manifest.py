from __future__ import annotations

import json
import os
import platform
import subprocess

import numpy as np
import pytest

import tinyllm
from tinyllm import kernels
from tinyllm.errors import CheckpointError
from tinyllm.train import manifest

DATA = {"name": "text", "sha256": "0", "tokens_sha256": "1"}


def test_the_facts_are_those_of_this_process(monkeypatch):
    monkeypatch.setenv("TINYLLM_THREADS", "3")
    with kernels.use("numpy"):
        facts = manifest.facts()
    assert facts["versions"]["python"] == platform.python_version()
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["versions"]["tinyllm"] == tinyllm.__version__
    assert facts["threads"] == 3 and facts["kernels"] == "numpy"
    assert json.loads(json.dumps(facts)) == facts


def git(folder, *arguments):
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, env=alone, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_repository_around_the_working_directory_is_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert manifest.facts()["git"] is None
    git(tmp_path, "init", "-q")
    assert manifest.facts()["git"] is None  # nothing is committed yet
    (tmp_path / "a").write_text("one")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert manifest.facts()["git"] == {"commit": commit, "dirty": False}
    (tmp_path / "a").write_text("two")
    assert manifest.facts()["git"] == {"commit": commit, "dirty": True}


def test_without_git_the_run_goes_on(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manifest.facts()["git"] is None


def written(tmp_path, **changes):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"format": manifest.FORMAT, **manifest.facts(), "config": {}, "data": DATA, **changes}))
    return path


def test_no_differences_to_oneself_and_each_one_is_named(tmp_path):
    assert manifest.differences(manifest.read(written(tmp_path))) == []
    versions = {**manifest.facts()["versions"], "numpy": "1.0"}
    found = manifest.differences(manifest.read(written(tmp_path, versions=versions, threads=97, git=None)))
    assert found == [f"versions.numpy: 1.0 then, {np.__version__} now", f"threads: 97 then, {kernels.threads()} now"]


def test_what_is_no_manifest_is_refused(tmp_path):
    path = tmp_path / "manifest.json"
    contents = [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format": "tinyllm run 99"}',
        json.dumps({"format": manifest.FORMAT}).encode(),
    ]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            manifest.read(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match=r"lacks data\.sha256, data\.tokens_sha256"):
        manifest.read(written(tmp_path, data={"name": "text"}))
    path.unlink()
    with pytest.raises(CheckpointError, match="is no run folder"):
        manifest.read(path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="not a run folder"):
        manifest.read(tmp_path / "file" / "manifest.json")
