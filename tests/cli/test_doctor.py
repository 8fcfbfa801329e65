"""``tinyllm doctor``: well here, and for each thing that could be wrong one line with one fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyllm.cli import doctor

ROOT = Path(__file__).parents[2]


def states(done):
    return {line["text"]: line["state"] for line in map(json.loads, done.out.splitlines())}


def test_here_all_is_well(tinyllm):
    done = tinyllm("doctor")
    assert done.code == 0, done.out
    assert done.out.splitlines()[-1].startswith("All is well")
    assert "FIX" not in done.out
    assert "\x1b" not in done.out


def test_json_is_one_object_per_look(tinyllm):
    done = tinyllm("doctor", "--json")
    findings = [json.loads(line) for line in done.out.splitlines()]
    assert all(set(finding) == {"state", "text", "fix"} for finding in findings)
    assert {finding["state"] for finding in findings} <= {"ok", "note", "fix"}
    assert len(findings) >= 10


def fixes(look):
    return [(finding.state, finding.fix) for finding in look() if finding.state != "ok"]


def test_a_missing_and_an_old_package(monkeypatch):
    monkeypatch.setattr(doctor, "needed", lambda: {"numpy": "99.0", "no-such-package": "1.0", "rich": "1.0"})
    assert fixes(doctor.packages) == [
        ("fix", "pip install --upgrade 'numpy>=99.0'"),
        ("fix", "pip install 'no-such-package>=1.0'"),
    ]


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(doctor, "_OLDEST_PYTHON", (9, 9))
    assert fixes(doctor.python) == [("fix", "install Python 9.9 or newer")]


def test_a_compiler_that_counts_wrong(monkeypatch):
    from tinyllm import kernels

    monkeypatch.setattr(kernels, "softmax", lambda x: x if kernels.backend() == "numba" else x + 1)
    assert [state for state, _ in fixes(doctor.compiler)] == ["fix"]


def test_a_compiler_that_is_broken(monkeypatch):
    import numba

    def refuse(*_, **__):
        raise RuntimeError("LLVM is missing")

    monkeypatch.setattr(numba, "njit", refuse)
    (finding,) = doctor._safely(doctor.compiler)
    assert (finding.state, finding.text) == ("fix", "looking at compiler: RuntimeError: LLVM is missing")


def test_slow_kernels_are_only_noted():
    from tinyllm import kernels

    with kernels.use("numpy"):
        assert [state for state, _ in fixes(doctor.compiler)] == ["note"]


def test_a_full_disk(monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    assert fixes(doctor.disk) == [("fix", "free at least 200 MiB, or --out on another disk")]


def test_folders_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert [state for state, _ in fixes(doctor.disk)] == ["fix"]
    assert [state for state, _ in fixes(doctor.caches)] == ["fix", "fix"]


def test_a_folder_with_all_rights_and_no_room(monkeypatch, tmp_path):
    def full(dir):
        raise OSError(28, "No space left on device")

    assert doctor.writable(tmp_path)
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", full)
    assert not doctor.writable(tmp_path)
    assert ("fix", "NUMBA_CACHE_DIR=a folder you may write to") in fixes(doctor.caches)


def test_a_folder_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    assert not doctor.writable(tmp_path / "file" / "below")
    assert doctor.writable(tmp_path / "new" / "newer")


def test_data_folders_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYLLM_DATA", str(tmp_path / "gone"))
    assert fixes(doctor.data) == [("fix", "correct TINYLLM_DATA, or unset it")]


def test_too_many_threads(monkeypatch):
    monkeypatch.setenv("TINYLLM_THREADS", "4096")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    noted = fixes(doctor.blas)
    assert [state for state, _ in noted] == ["note", "note"]
    assert noted[1][1] == "unset OMP_NUM_THREADS, set TINYLLM_THREADS"


def test_a_look_that_breaks_is_a_finding_and_the_rest_goes_on(tinyllm, monkeypatch):
    def broken():
        raise RuntimeError("kaput")
        yield

    monkeypatch.setattr(doctor, "LOOKS", [broken, doctor.python])
    done = tinyllm("doctor")
    assert done.code == 1
    assert "FIX  looking at broken: RuntimeError: kaput. Fix: " in done.out
    assert "OK   Python" in done.out
    assert done.out.splitlines()[-1] == "1 to fix, 0 worth a look, 1 fine"


def test_what_is_needed_is_what_the_project_says():
    import tomllib

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {f"{name}>={least}" for name, least in doctor.needed().items()} == set(wanted)


@pytest.mark.parametrize(("old", "new"), [("2.9", "2.10"), ("1.0rc1", "1.0.1"), ("0.61", "0.61.2")])
def test_versions_compare_as_numbers(old, new):
    assert doctor.numbers(old) < doctor.numbers(new)
