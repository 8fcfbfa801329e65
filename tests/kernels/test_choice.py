"""What is written down about who is faster, and what becomes of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.kernels import choice


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Every test has a machine that has never been measured, and leaves none behind that has."""
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path))
    forget()
    yield
    forget()


def forget():
    choice.pick.cache_clear()
    choice._known.cache_clear()


def everything(ours, blas):
    return {
        f"{code} {form} {shape}": {"ours": ours, "blas": blas}
        for code in "fd"
        for form in choice.FORMS
        for shape in choice.SHAPES
    }


def test_a_machine_is_known_whatever_its_threads():
    before = choice.place()
    with kernels.use_threads(1):
        assert choice.place() == before


def write(seconds, **changed):
    choice.place().parent.mkdir(parents=True, exist_ok=True)
    held = {"machine": {**choice.machine(), **changed}, "seconds": seconds}
    choice.place().write_text(json.dumps(held), encoding="utf-8")
    forget()


def test_every_product_has_a_class():
    seen = {choice.shape_class(M, N, K) for M in (1, 500, 9000) for N in (1, 500, 9000) for K in (1, 500, 9000)}
    assert seen == {*choice.SHAPES, "little"}
    assert choice.shape_class(64, 64, 64, stack=1000) == "even"
    for name, shape in choice.SHAPES.items():
        assert choice.shape_class(*shape) == name


def test_without_a_measurement_the_default_holds():
    assert choice.table() == {}
    assert {choice.pick("f", form, shape) for form in choice.FORMS for shape in choice.SHAPES} == {choice.default()}


def test_a_product_measures_nothing(monkeypatch):
    monkeypatch.setattr(choice, "measure", lambda dtype: pytest.fail("measured while a product waits"))
    kernels.matmul(np.ones((300, 300)), np.ones((300, 300)))
    assert not choice.place().exists()


def test_blas_must_be_clearly_faster():
    write({"f nn even": {"ours": 1.05, "blas": 1.0}, "f nt even": {"ours": 1.2, "blas": 1.0}})
    assert choice.pick("f", "nn", "even") == "ours" and choice.pick("f", "nt", "even") == "blas"
    assert choice.pick("f", "nn", "wide") == choice.default()
    assert choice.table()["f nt even"] == {"pick": "blas", "ours": 1.2, "blas": 1.0}


def test_both_turned_counts_as_the_first_turned():
    write({"d tn deep": {"ours": 2.0, "blas": 1.0}})
    assert choice.pick("d", "tt", "deep") == "blas"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"machine": 1}', '{"seconds": {"f nn even": 3}}'])
def test_a_damaged_file_is_no_file(text):
    write({})
    choice.place().write_text(text, encoding="utf-8")
    forget()
    assert choice.table() == {}


def test_times_that_are_none_make_a_damaged_file():
    for times in ({"ours": 1.0}, {"ours": None, "blas": 1.0}, 3):
        write({"f nn even": times})
        assert choice.table() == {}


def test_another_machine_s_file_is_not_believed():
    write(everything(2.0, 1.0))
    assert {row["pick"] for row in choice.table().values()} == {"blas"}
    write(everything(2.0, 1.0), processor="another")
    assert choice.table() == {}


def test_settle_measures_once_and_writes_it_down(monkeypatch):
    measured = []

    def measure(dtype):
        measured.append(np.dtype(dtype).char)
        return {name: times for name, times in everything(2.0, 1.0).items() if name[0] == np.dtype(dtype).char}

    monkeypatch.setattr(choice, "measure", measure)
    assert choice.pick("f", "nn", "even") == choice.default()
    choice.settle(np.float32)
    assert choice.pick("f", "nn", "even") == "blas"  # from now on, in this process too
    choice.settle(np.float32)
    forget()
    choice.settle(np.float32)
    choice.settle(np.float64)
    assert measured == ["f", "d"]
    assert json.loads(choice.place().read_bytes())["seconds"] == everything(2.0, 1.0)
    assert [path.name for path in choice.place().parent.iterdir()] == [choice.place().name]


def test_settle_does_without_a_folder_to_write_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(choice, "measure", lambda dtype: everything(2.0, 1.0))
    choice.settle()
    assert choice.pick("f", "nn", "even") == "blas"


def test_measuring_covers_every_class():
    found = choice.measure(np.float32)
    assert set(found) == {name for name in everything(1, 1) if name.startswith("f")}
    assert all(0 < times[who] < 10 for times in found.values() for who in ("ours", "blas"))


def test_the_place_follows_the_environment(tmp_path, monkeypatch):
    assert choice.place().is_relative_to(tmp_path)
    monkeypatch.delenv("TINYLLM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert choice.place().parent == tmp_path / "xdg" / "tinyllm" / "products"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert choice.place().parent.parts[-3:] == (".cache", "tinyllm", "products")
