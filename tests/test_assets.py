"""Files that are not ours to ship: found, known by their hash, fetched; never from the network here."""

from __future__ import annotations

import hashlib
import io
import os
import re
import urllib.request

import pytest

from tinyllm import assets
from tinyllm.errors import ConfigError, DataError

BODY = b"The owl and the pussycat went to sea\n" * 5000
SHA = hashlib.sha256(BODY).hexdigest()
SONG = assets.Asset("song", "texts/song.txt", "https://example.invalid/song.txt", SHA, len(BODY), "a song")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """One asset, nothing in TINYLLM_DATA, an empty cache, and no network."""
    monkeypatch.setattr(assets, "ASSETS", {"song": SONG})
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYLLM_DATA", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", None)


@pytest.fixture
def sends(monkeypatch):
    """Let the network answer with these bytes; return the addresses that were asked."""
    asked: list[str] = []

    def answer(body):
        def urlopen(url, timeout):
            asked.append(url)
            if isinstance(body, Exception):
                raise body
            return io.BytesIO(body)

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    return answer


def put(folder, body=BODY):
    path = folder / SONG.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert assets.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("TINYLLM_CACHE")
    assert assets.cache_folder() == tmp_path / "xdg" / "tinyllm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert assets.cache_folder() == tmp_path / ".cache" / "tinyllm"


def test_tinyllm_data_comes_first_then_the_cache(monkeypatch, tmp_path):
    cached = put(tmp_path / "cache")
    assert assets.find("song") == cached and assets.read("song") == BODY
    monkeypatch.setenv("TINYLLM_DATA", os.pathsep.join([str(tmp_path / "gone"), str(tmp_path / "b"), ""]))
    assert assets.find("song") == cached
    theirs = put(tmp_path / "b")
    assert assets.find("song") == theirs and assets.fetch("song") == theirs
    assert assets.places() == [tmp_path / "gone", tmp_path / "b"]


def test_a_path_that_is_given_is_the_only_one_looked_at(tmp_path):
    put(tmp_path / "cache")
    mine = put(tmp_path / "mine")
    assert assets.find("song", mine) == mine and assets.read("song", str(mine)) == BODY
    with pytest.raises(DataError, match=r"nowhere: there is no such file.*get it from https://example\.invalid"):
        assets.read("song", tmp_path / "nowhere")


@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY + b"x", BODY.replace(b"owl", b"Owl", 1)])
def test_an_altered_file_is_refused_with_both_hashes(monkeypatch, tmp_path, body):
    """In the folders that a user named, that is; what is broken in the cache is fetched anew."""
    path = put(tmp_path / "data", body)
    told = f"{path}: is not song as it was published: sha256 is {hashlib.sha256(body).hexdigest()}, expected {SHA}"
    with pytest.raises(DataError, match=re.escape(told)):
        assets.read("song", path)
    monkeypatch.setenv("TINYLLM_DATA", str(tmp_path / "data"))
    for look in (assets.read, assets.find, assets.fetch):
        with pytest.raises(DataError, match=re.escape(told)):
            look("song")


def test_a_download_is_kept(sends, tmp_path):
    asked = sends(BODY)
    assert assets.find("song") is None
    assert assets.read("song") == BODY
    kept = tmp_path / "cache" / SONG.path
    assert kept.read_bytes() == BODY and [*kept.parent.iterdir()] == [kept]
    assert assets.read("song") == BODY and assets.fetch("song") == kept
    assert asked == [SONG.url]


def test_a_broken_download_of_before_is_replaced(sends, tmp_path):
    asked = sends(BODY)
    kept = put(tmp_path / "cache", BODY[:100])
    assert assets.find("song") is None
    assert assets.read("song") == BODY
    assert kept.read_bytes() == BODY and len(asked) == 1


def test_progress_is_told_to_the_end(sends, tmp_path):
    sends(BODY)
    told: list[tuple[int, int]] = []
    assert assets.fetch("song", lambda *now: told.append(now)) == tmp_path / "cache" / SONG.path
    assert told == [(65536, len(BODY)), (131072, len(BODY)), (len(BODY), len(BODY))]


@pytest.mark.parametrize("body", [b"", b"<html>log in first</html>", BODY[:-1], BODY + b"x", BODY * 9])
def test_a_download_of_something_else_is_refused_and_not_kept(sends, tmp_path, body):
    sends(body)
    with pytest.raises(DataError, match=r"song: https://example\.invalid/song\.txt sent another file than it should"):
        assets.read("song")
    assert not (tmp_path / "cache" / SONG.path).exists()


def test_no_more_is_read_than_could_be_right(monkeypatch):
    class Endless(io.RawIOBase):
        given = 0

        def read(self, n=-1):
            self.given += n
            assert self.given < 2 * len(BODY)
            return b"x" * n

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Endless())
    with pytest.raises(DataError, match="sent another file"):
        assets.read("song")


@pytest.mark.parametrize("error", [OSError("no route to host"), TimeoutError("timed out"), ValueError("unknown url")])
def test_offline_says_which_file_to_put_where(sends, tmp_path, error):
    sends(error)
    for look in (assets.read, assets.fetch):
        with pytest.raises(DataError) as caught:
            look("song")
        assert str(caught.value) == (
            f"E-DATA song: not found in TINYLLM_DATA or the cache, and the download failed ({error}). "
            f"Try: put {SONG.url} at {tmp_path / 'cache' / SONG.path} by other means"
        )


def test_a_cache_that_cannot_be_written_matters_only_to_who_wants_the_file(sends, tmp_path):
    sends(BODY)
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert assets.read("song") == BODY
    with pytest.raises(DataError, match=r"song: cannot be kept at .*TINYLLM_CACHE=a folder you may write to"):
        assets.fetch("song")


def test_a_name_that_is_not_there():
    with pytest.raises(ConfigError, match=r"no data called 'sing'\. Try: song"):
        assets.read("sing")
    with pytest.raises(ConfigError, match="Try: one of song"):
        assets.known("xyzzy")


def test_every_published_file_can_be_known(monkeypatch):
    monkeypatch.undo()
    assert len({asset.path for asset in assets.ASSETS.values()}) == len(assets.ASSETS) >= 7
    for name, asset in assets.ASSETS.items():
        assert asset.name == name and asset.url.startswith("https://") and asset.size > 0
        assert re.fullmatch("[0-9a-f]{64}", asset.sha256)
        assert not os.path.isabs(asset.path) and ".." not in asset.path
