"""Files and folders: which count, in which order, what is left out and why."""

from __future__ import annotations

import os

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag.read import MAX_BYTES, Skipped, folder, read

FILES = {
    "b.md": b"# Ducks\nThey swim.",
    "a/z.txt": b"Text.",
    "a/deep/x.html": b"<title>Page</title><p>Text.",
    "a.rst": b"Swans\n=====\n\nText.",
    "README": b"Read me.",
    ".hidden.md": b"Hidden.",
    ".git/config": b"Hidden.",
    "node_modules/x.md": b"Ignored.",
    "picture.png": b"\x89PNG\r\n\x1a\n\0\0",
    "empty.txt": b"",
}


@pytest.fixture
def place(tmp_path):
    root = tmp_path / "notes"
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def ids(*args, **settings):
    return [document.id for document in folder(*args, **settings)]


def test_a_file_is_read_by_its_name(place, tmp_path):
    assert read(place / "b.md").id == "b.md" and read(place / "b.md", "other").id == "other"
    titles = [read(place / name).title for name in ("b.md", "a/z.txt", "a/deep/x.html", "a.rst", "README")]
    assert titles == ["Ducks", "z", "Page", "Swans", "README"]
    (tmp_path / "UPPER.HTM").write_bytes(b"<p>Text")
    assert read(str(tmp_path / "UPPER.HTM")).text == "Text"


def test_files_that_cannot_be_read(place):
    for name, message in {
        "missing.md": "cannot be read: no such file",
        "a": "is a folder. Try: folder",
        "a\0b": "cannot be read",
        "picture.png": "binary",
        "empty.txt": "no text",
    }.items():
        with pytest.raises(DataError, match=message):
            read(place / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(place / "pipe")
        with pytest.raises(DataError, match="is no regular file"):
            read(place / "pipe")  # and not waited for


def test_a_document_of_100_mb_is_refused_with_the_number(place):
    with open(place / "big.txt", "wb") as file:
        file.truncate(100_000_000)  # takes no room on the disk
    with pytest.raises(DataError, match=r"big.txt: 100,000,000 bytes are more than .* 32,000,000\. Try: [^\n]*$"):
        read(place / "big.txt")
    some = folder(place, ["*.txt"])
    assert [document.id for document in some] == ["a/z.txt"]
    assert some.skipped[0].id == "big.txt" and "100,000,000" in some.skipped[0].reason
    assert read(place / "README", max_bytes=8).text == "Read me."
    with pytest.raises(DataError, match="8 bytes are more"):
        read(place / "README", max_bytes=7)
    for bad in (0, -1, 1.5, True):
        with pytest.raises(ConfigError, match="max_bytes"):
            read(place / "README", max_bytes=bad)
    assert MAX_BYTES == 32_000_000


def test_a_folder_is_read_in_the_order_of_its_ids(place):
    some = folder(place)
    assert len(some) == 7  # before it is known what can be read
    assert [document.id for document in some] == ["README", "a.rst", "a/deep/x.html", "a/z.txt", "b.md"]
    assert some.skipped == [
        Skipped("empty.txt", "there is no text in it"),
        Skipped("picture.png", "is a binary file, not text"),
    ]
    assert len(list(some)) == 5 and len(some.skipped) == 2  # a second reading does not count twice


@pytest.mark.parametrize(
    "settings, found",
    [
        ({"patterns": ["*.md"]}, ["b.md"]),
        ({"patterns": ["*.md"], "hidden": True}, [".hidden.md", "b.md"]),
        ({"patterns": ["*.md"], "ignore": []}, ["b.md", "node_modules/x.md"]),
        ({"patterns": ["*.[!m]*", "R?ADME"]}, ["README", "a.rst", "a/deep/x.html", "a/z.txt"]),
        ({"patterns": ["a/*"]}, ["a/z.txt"]),
        ({"patterns": ["a/**"]}, ["a/deep/x.html", "a/z.txt"]),
        ({"patterns": ["**/*.html", "./b.md"]}, ["a/deep/x.html", "b.md"]),
        ({"patterns": ["/a.rst"]}, ["a.rst"]),
        ({"ignore": ["a/", "*.md", "a.*", "node_modules/"]}, ["README"]),
        ({"ignore": ["a/deep", "b.md/", "README", "node_modules"]}, ["a.rst", "a/z.txt", "b.md"]),
        ({"patterns": ["[a-b].[m-r]*"]}, ["a.rst", "b.md"]),
    ],
)
def test_patterns(place, settings, found):
    assert ids(place, **settings) == found


def test_bad_patterns_and_folders(place):
    for bad in (["!a"], [""], ["/"], ["[z-a]"], "*.md"):
        with pytest.raises(ConfigError, match=r"pattern"):
            folder(place, bad)
    with pytest.raises(DataError, match=r"there is no such folder"):
        folder(place / "missing")
    with pytest.raises(DataError, match=r"is a file, not a folder\. Try: read"):
        folder(place / "b.md")


def test_a_folder_with_nothing_to_read_is_an_error_and_not_an_empty_corpus(place, tmp_path):
    with pytest.raises(DataError, match=r"nothing to read in this folder \(2 left out\).*empty.txt"):
        list(folder(place, ["*.png", "empty*"]))
    (tmp_path / "new").mkdir()
    with pytest.raises(DataError, match=r"\(0 left out\)"):
        list(folder(tmp_path / "new"))


def test_links(place):
    (place / "a" / "up").symlink_to(place, target_is_directory=True)
    (place / "copy.md").symlink_to(place / "b.md")
    (place / "lost.md").symlink_to(place / "nowhere.md")
    (place / "other").symlink_to(place / "a" / "deep", target_is_directory=True)
    (place / "self.md").symlink_to(place / "self.md")
    some = folder(place, ["*.md", "*.html"])
    assert [document.id for document in some] == ["a/deep/x.html", "b.md", "copy.md"]
    told = {each.id: each.reason for each in some.skipped}
    assert told.pop("a/up/") == told.pop("other/") == "a link to a folder"
    assert told.pop("lost.md").startswith("cannot be read") and "self.md" in told
    some = folder(place, ["*.md", "*.html"], follow=True)
    assert [document.id for document in some] == ["a/deep/x.html", "b.md", "copy.md", "other/x.html"]
    assert Skipped("a/up/", "a link back to a folder it is in") in some.skipped


def test_what_the_system_refuses_is_skipped(place, monkeypatch):
    scandir, opened = os.scandir, type(place).open

    def refuse(path, *args):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return scandir(path, *args)

    def closed(path, *args, **settings):
        if path.name == "b.md":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **settings)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(type(place), "open", closed)
    some = folder(place, ["*.md", "*.html", "*.rst"])
    assert [document.id for document in some] == ["a.rst"]
    assert some.skipped == [
        Skipped("a/deep/", "permission denied"),
        Skipped("b.md", "cannot be read: permission denied"),
    ]


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="file names are Unicode here")
def test_a_name_that_is_no_unicode(place):
    with open(os.fsencode(place) + b"/caf\xe9.md", "wb") as file:
        file.write(b"Text.")
    assert ids(place, ["caf*"]) == ["caf\\xe9.md"]
