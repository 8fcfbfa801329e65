"""``tinyllm warm``: what is ready, how long it took, and where it is kept."""

from __future__ import annotations

import json

import pytest

from tinyllm import kernels
from tinyllm.cli import warm


@pytest.fixture
def compiled(monkeypatch):
    """Kernels that compile at once; what was asked for."""
    asked = []
    monkeypatch.setattr(kernels, "backend", lambda: "numba")
    monkeypatch.setattr(warm, "compile_kernels", lambda screen, silent, dtype: asked.append((dtype, silent)) or 7.0)
    names = {room: name for name, room in warm.ROOMS.items()}
    monkeypatch.setattr(warm, "compile_room", lambda screen, room, silent: asked.append((names[room], silent)) or 1.0)
    return asked


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["float32", "search"]),
        (["--dtype", "float64"], ["float64", "search"]),
        (["--all"], ["float32", "float64", "search", "tokenizer"]),
        (["--all", "--dtype", "float32"], ["float32", "search", "tokenizer"]),
    ],
)
def test_what_is_asked_for_is_compiled(tinyllm, compiled, arguments, expected):
    done = tinyllm("warm", *arguments)
    assert (done.code, done.err) == (0, "")
    assert compiled == [(what, False) for what in expected]
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == [*expected, "kept"]
    assert lines[0].endswith("compiled in 7.0 s")
    assert lines[-2].endswith("ready in 1.0 s")


def test_json_is_one_object_and_nothing_else(tinyllm, compiled):
    done = tinyllm("warm", "--json")
    assert compiled == [("float32", True), ("search", True)]
    facts = json.loads(done.out)
    assert facts["backend"] == "numba"
    assert facts["seconds"] == {"float32": 7.0, "search": 1.0}
    assert set(facts["cache"]) == {"path", "kept", "files", "bytes"}


def test_without_numba_there_is_nothing_to_do(tinyllm):
    with kernels.use("numpy"):
        done = tinyllm("warm")
        assert json.loads(tinyllm("warm", "--json").out)["seconds"] == {}
    assert (done.code, done.out) == (0, "kernels run on numpy: there is nothing to compile\n")


def test_a_cache_that_cannot_be_written_is_a_failure(tinyllm, compiled, monkeypatch):
    monkeypatch.setattr(warm, "writable", lambda folder: False)
    done = tinyllm("warm")
    assert done.code == 1
    assert "cannot be written" in done.out and "NUMBA_CACHE_DIR" in done.out


def test_the_kernels_of_a_room_are_loaded(capsys):
    import sys

    from tinyllm.cli.screen import Screen

    modules = {
        "tokenizer": {"tinyllm.kernels.bpe.train", "tinyllm.kernels.bpe.encode"},
        "search": {"tinyllm.kernels.postings.search", "tinyllm.kernels.nearest.graph"},
    }
    assert set(modules) == set(warm.ROOMS)
    for name, room in warm.ROOMS.items():
        with kernels.use("numba"):
            assert warm.compile_room(Screen.of(), room, silent=False) > 0
        assert capsys.readouterr().out == f"the kernels that {room.about}: compiling (first run only)\n"
        assert modules[name] <= set(sys.modules)
