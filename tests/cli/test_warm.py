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
    monkeypatch.setattr(warm, "compile_tokenizer", lambda screen, silent: asked.append(("tokenizer", silent)) or 1.0)
    return asked


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["float32"]),
        (["--dtype", "float64"], ["float64"]),
        (["--all"], ["float32", "float64", "tokenizer"]),
        (["--all", "--dtype", "float32"], ["float32", "tokenizer"]),
    ],
)
def test_what_is_asked_for_is_compiled(tinyllm, compiled, arguments, expected):
    done = tinyllm("warm", *arguments)
    assert (done.code, done.err) == (0, "")
    assert compiled == [(what, False) for what in expected]
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == [*expected, "kept"]
    assert lines[0].endswith("compiled in 7.0 s")
    assert expected[-1] != "tokenizer" or lines[-2].endswith("ready in 1.0 s")


def test_json_is_one_object_and_nothing_else(tinyllm, compiled):
    done = tinyllm("warm", "--json")
    assert compiled == [("float32", True)]
    facts = json.loads(done.out)
    assert facts["backend"] == "numba"
    assert facts["seconds"] == {"float32": 7.0}
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


def test_the_tokenizers_kernels_are_loaded(capsys):
    import sys

    from tinyllm.cli.screen import Screen

    assert warm.compile_tokenizer(Screen.of(), silent=False) > 0
    assert capsys.readouterr().out == "the tokenizer's kernels: compiling (first run only)\n"
    assert {"tinyllm.kernels.bpe.train", "tinyllm.kernels.bpe.encode"} <= set(sys.modules)
