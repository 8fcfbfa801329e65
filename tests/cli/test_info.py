"""``tinyllm info``: the same facts for people and for programs."""

from __future__ import annotations

import json

import numpy as np

from tinyllm import kernels
from tinyllm.cli import info


def test_json_has_every_section_and_true_values(tinyllm):
    done = tinyllm("info", "--json")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    assert set(facts) == {
        "versions",
        "machine",
        "threads",
        "blas",
        "kernels",
        "caches",
        "data",
        "package",
        "git",
        "environment",
    }
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["threads"] == kernels.threads()
    assert facts["kernels"]["backend"] == kernels.backend()
    assert set(facts["kernels"]["table"]) == set(kernels.TABLE)
    assert set(facts["kernels"]["table"].values()) <= {"numba", "numpy"}


def test_people_get_a_line_for_each_thing(tinyllm):
    done = tinyllm("info")
    assert done.code == 0
    starts = [line.split()[0] for line in done.out.splitlines()]
    expected = ["tinyllm", "python", "packages", "machine", "threads", "BLAS", "kernels", "products", "numba"]
    assert starts[:9] == expected
    assert "\x1b" not in done.out


def test_the_back_end_in_force_is_told(tinyllm):
    with kernels.use("numpy"):
        facts = json.loads(tinyllm("info", "--json").out)
    assert set(facts["kernels"]["table"].values()) == {"numpy"}


def test_only_settings_that_matter_are_shown(tinyllm, monkeypatch):
    monkeypatch.setenv("TINYLLM_DATA", "a/b")
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    done = tinyllm("info", "--json")
    assert json.loads(done.out)["data"]["TINYLLM_DATA"] == ["a/b"]
    assert "hush" not in done.out
    assert "TINYLLM_DATA=a/b" in tinyllm("info").out


def test_sizes_are_counted(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.nbi").write_bytes(b"12345")
    (tmp_path / "b.nbc").write_bytes(b"123")
    (tmp_path / "c.txt").write_bytes(b"1")
    assert info.size_of(tmp_path, ("*.nbi", "*.nbc")) == {"files": 2, "bytes": 8}
    assert info.size_of(tmp_path / "nowhere", ("*",)) == {"files": 0, "bytes": 0}


def test_a_missing_package_is_shown_as_missing(tinyllm, monkeypatch):
    monkeypatch.setattr(info, "PACKAGES", ("numpy", "no-such-package"))
    assert "no-such-package NOT INSTALLED" in tinyllm("info").out
