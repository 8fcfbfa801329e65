"""Files that are not ours to ship: found, known by their hash, fetched."""

from __future__ import annotations

from tinyllm import assets


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert assets.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("TINYLLM_CACHE")
    assert assets.cache_folder() == tmp_path / "xdg" / "tinyllm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert assets.cache_folder() == tmp_path / ".cache" / "tinyllm"
