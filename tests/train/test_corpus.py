from __future__ import annotations

import hashlib
import io
import sys
import types
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from tinyllm import assets
from tinyllm.errors import DataError
from tinyllm.train import corpus

PLAY = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 10


def refused(source: str) -> str:
    """The message of the refusal, which must be one line."""
    with pytest.raises(DataError) as caught:
        corpus.load(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def no_network(monkeypatch):
    """A download that fails, as it does offline."""

    def offline(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)


@pytest.fixture
def empty_places(monkeypatch, tmp_path):
    """Neither TINYLLM_DATA nor the cache holds anything; returns the cache folder."""
    monkeypatch.delenv("TINYLLM_DATA", raising=False)
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def play(monkeypatch):
    """A short text in the role of Shakespeare."""
    published = replace(assets.ASSETS["shakespeare"], sha256=hashlib.sha256(PLAY).hexdigest(), size=len(PLAY))
    monkeypatch.setitem(assets.ASSETS, "shakespeare", published)


def test_the_manual_of_this_python():
    one = corpus.load("python-manual")
    assert one.name == one.source == "python-manual"
    assert len(one.text) > 300_000 and "list comprehension" in one.text
    assert one.sha256 == hashlib.sha256(one.text.encode()).hexdigest() == corpus.load("python-manual").sha256


def test_the_manual_does_not_depend_on_the_order_of_topics(monkeypatch):
    module = types.ModuleType("pydoc_data.topics")
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", module)
    module.topics = {"b": "two\n", "a": "one"}
    text = corpus.load("python-manual").text
    module.topics = {"a": "one", "b": "two\n"}
    assert corpus.load("python-manual").text == text == "one\n\ntwo\n"


def test_a_python_without_its_manual_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "pydoc_data" in refused("python-manual")


def test_a_file(tmp_path):
    path = tmp_path / "note.txt"
    path.write_bytes("\ufeffgrüße\r\nto you".encode())
    loaded = corpus.load(str(path))
    assert loaded.text == "grüße\r\nto you" and loaded.name == "note.txt" and loaded.source == str(path.resolve())


def test_a_folder_is_read_in_the_order_of_names_and_binary_files_are_counted(tmp_path):
    for name, content in {
        "b.txt": b"bee",
        "a/z.txt": b"zed",
        "a/y.py": b"why",
        "a.txt": b"aye",
        "picture.png": b"\x89PNG\0\0",
        "a/latin1.txt": b"caf\xe9",
        ".git/config": b"hidden",
        ".hidden": b"hidden",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    loaded = corpus.load(str(tmp_path))
    assert loaded.text == "why\nzed\naye\nbee"
    assert loaded.files == 4 and loaded.skipped == ("a/latin1.txt", "picture.png")


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("piped €".encode())))
    loaded = corpus.load("-")
    assert (loaded.text, loaded.name, loaded.source) == ("piped €", "stdin", "-")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"abc\0def", "binary"),
        (b"\x89PNG\r\n", "not UTF-8"),
        (b"caf\xe9", "LATIN1"),
        ("hello".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, says):
    path = tmp_path / "input.txt"
    path.write_bytes(content)
    message = refused(str(path))
    assert says in message and "input.txt" in message and "Try: " in message


def test_empty_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "stdin" in refused("-")


def test_a_folder_without_text_is_refused(tmp_path):
    assert "no files" in refused(str(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"\0")
    assert "1 files are all binary" in refused(str(tmp_path))


def test_a_misspelled_path_names_the_nearest(tmp_path):
    (tmp_path / "moby_dick.txt").write_text("Call me Ishmael.")
    assert refused(str(tmp_path / "mobydick.txt")).endswith("Try: " + str(tmp_path / "moby_dick.txt"))
    assert refused("shakespear").endswith("Try: shakespeare")
    assert "python-manual" in refused("python-manuel")
    assert str(tmp_path / "nowhere") in refused(str(tmp_path / "nowhere" / "x.txt"))


def test_a_file_that_cannot_be_read_says_so(tmp_path, monkeypatch):
    path = tmp_path / "secret.txt"
    path.write_text("x")

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", denied)
    assert "permission denied" in refused(str(path))


def test_shakespeare_from_the_search_path(monkeypatch, tmp_path, empty_places, no_network, play):
    (tmp_path / "two" / "corpora").mkdir(parents=True)
    (tmp_path / "two" / "corpora" / "tinyshakespeare.txt").write_bytes(PLAY)
    monkeypatch.setenv("TINYLLM_DATA", f"{tmp_path / 'one'}{corpus.os.pathsep}{tmp_path / 'two'}")
    assert corpus.load("shakespeare").text.encode() == PLAY


def test_another_text_in_its_place_is_refused(monkeypatch, tmp_path, empty_places, no_network, play):
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "tinyshakespeare.txt").write_bytes(PLAY + b"Exit.")
    monkeypatch.setenv("TINYLLM_DATA", str(tmp_path))
    assert "sha256" in refused("shakespeare")


def test_a_download_is_kept_and_found_again(monkeypatch, empty_places, play):
    asked = []

    def served(url, timeout):
        asked.append(url)
        return io.BytesIO(PLAY)

    monkeypatch.setattr(urllib.request, "urlopen", served)
    assert corpus.load("shakespeare").text.encode() == PLAY
    cached = empty_places / "corpora" / "tinyshakespeare.txt"
    assert cached.read_bytes() == PLAY and [p.name for p in cached.parent.iterdir()] == [cached.name]
    assert corpus.load("shakespeare").text.encode() == PLAY
    assert asked == [assets.ASSETS["shakespeare"].url]
    cached.write_bytes(PLAY[:100])  # damaged: fetched again
    assert corpus.load("shakespeare").text.encode() == PLAY
    assert len(asked) == 2 and cached.read_bytes() == PLAY


def test_a_cache_that_cannot_be_written_does_not_stop_it(monkeypatch, empty_places, play):
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(PLAY))
    empty_places.write_text("a file where the folder should be")
    assert corpus.load("shakespeare").text.encode() == PLAY


def test_a_download_with_another_content_is_refused(monkeypatch, empty_places, play):
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(b"<html>"))
    assert "sha256" in refused("shakespeare")
    assert not empty_places.exists()


def test_offline_it_says_which_file_to_put_where(empty_places, no_network):
    message = refused("shakespeare")
    assert str(empty_places / "corpora" / "tinyshakespeare.txt") in message
    assert assets.ASSETS["shakespeare"].url in message and "python-manual" in message and "no route" in message


def test_the_pinned_text(shakespeare):
    assert len(corpus.load("shakespeare").text) == 1_115_394
