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

TOY = assets.ModelAsset(
    "toy",
    (
        assets.Asset("toy/a", "models/toy/a", "https://example.invalid/a", SHA, len(BODY), ""),
        assets.Asset("toy/b/c", "models/toy/b/c", "https://example.invalid/c", SHA, len(BODY), ""),
    ),
    "a toy",
)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """One asset, nothing in TINYLLM_DATA, an empty cache, and no network."""
    monkeypatch.setattr(assets, "ASSETS", {"song": SONG})
    monkeypatch.setattr(assets, "MODELS", {"toy": TOY})
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


# models: several files, which make sense together only


def lay(place, names=("a", "b/c"), body=BODY):
    for name in names:
        path = place / "models" / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return place / "models" / "toy"


def test_a_model_is_where_all_its_files_are(monkeypatch, tmp_path):
    assert assets.find_model("toy") is None
    monkeypatch.setenv("TINYLLM_DATA", f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}")
    lay(tmp_path / "one", ["a"])
    lay(tmp_path / "two", ["b/c"])
    assert assets.find_model("toy") is None  # half of it here, half of it there
    assert assets.find_model("toy") is None
    assert lay(tmp_path / "two") == assets.find_model("toy") == assets.fetch_model("toy")


def test_an_altered_model_is_an_error_but_in_the_cache(monkeypatch, tmp_path):
    lay(tmp_path / "cache", body=b"x")
    assert assets.find_model("toy") is None
    monkeypatch.setenv("TINYLLM_DATA", str(tmp_path / "data"))
    lay(tmp_path / "data", ["a"])
    lay(tmp_path / "data", ["b/c"], BODY[::-1])
    with pytest.raises(DataError, match=r"b/c: is not toy/b/c as it was published\. Try: get it again from https"):
        assets.find_model("toy")


def test_a_model_is_fetched_file_by_file_and_none_twice(sends, tmp_path):
    asked, told = sends(BODY), []
    lay(tmp_path / "cache", ["a"])
    folder = assets.fetch_model("toy", lambda file, done, total: told.append((file.name, done, total)))
    assert folder == tmp_path / "cache" / "models" / "toy" and (folder / "b" / "c").read_bytes() == BODY
    assert asked == ["https://example.invalid/c"]
    assert told[-1] == ("toy/b/c", len(BODY), len(BODY)) and len(told) == -(-len(BODY) // (1 << 16))
    assert assets.fetch_model("toy") == folder and len(asked) == 1
    assert sorted(p.name for p in folder.rglob("*")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (BODY[:-1], "sent another file than it should"),
        (BODY + b"more", "sent another file than it should"),
        (OSError("no route"), r"download failed \(no route\)\. Try: put https://example\.invalid/a at"),
    ],
)
def test_a_model_that_does_not_arrive_whole_leaves_nothing(sends, tmp_path, body, match):
    sends(body)
    with pytest.raises(DataError, match=match):
        assets.fetch_model("toy")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_cache_that_cannot_hold_a_model(sends, tmp_path):
    sends(BODY)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="toy/a: cannot be kept at"):
        assets.fetch_model("toy")


def test_a_model_that_nobody_published(monkeypatch):
    with pytest.raises(ConfigError, match=r"no model called 'tiy'\. Try: toy"):
        assets.find_model("tiy")
    with pytest.raises(ConfigError, match="one of toy"):
        assets.known_model("xyzzy")
    monkeypatch.undo()
    assert list(assets.MODELS) == ["gpt2", "minilm", "stories260K"]
    for name, model in assets.MODELS.items():
        assert model.name == name and model.path == f"models/{name}" and model.size == sum(f.size for f in model.files)
        for file in model.files:
            assert file.path == f"{model.path}/{file.name.removeprefix(name + '/')}"
            assert re.fullmatch(r"https://huggingface\.co/[\w/-]+/resolve/[0-9a-f]{40}/[\w/.]+", file.url)
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0
