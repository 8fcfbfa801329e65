"""A library on disk: what is made, what a second run touches, what a kill leaves behind, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.rag import Document, Library
from tinyllm.rag.library import LSA_FILE, SETTINGS, STORE, WORDS

TEXTS = {
    "ducks.md": "# Ducks\n\nDucks swim in ponds. They eat bread and weeds.",
    "cats.md": "# Cats\n\nCats sleep on sofas. They do not swim in ponds.",
    "stars.md": "# Stars\n\nStars shine at night. The sun is a star, too.",
    "bread.md": "# Bread\n\nBread is made of flour, water and salt. It rises with yeast.",
}


@pytest.fixture(autouse=True)
def readable():
    with kernels.use("numpy"):
        yield


def documents(**changes):
    texts = {**TEXTS, **changes}
    return [Document(name, text, name.removesuffix(".md").title()) for name, text in texts.items() if text]


@pytest.fixture
def library(tmp_path):
    with Library.make(tmp_path / "library", documents(), embedder="lsa") as made:
        yield made


def found(library, query, k=2):
    return [hit.chunk.doc_id for hit in library.search(query, k)]


def test_what_is_made_is_found(library):
    assert len(library) == 4 and str(library.made) == "4 added, 0 changed, 0 removed, 0 same"
    assert found(library, "who eats weeds in a pond?")[0] == "ducks.md"
    hit = library.search("shining star", 1)[0]
    assert set(hit.parts) == {"bm25", "dense", "rrf"} and hit.chunk.header == "Stars"
    assert library.why == "it was asked for"


def test_it_opens_again_as_it_was(library):
    before = library.search("bread", 4)
    assert (library.path / WORDS).is_file()
    library.close()
    with Library(library.path) as again:
        assert again.search("bread", 4) == before and again.embedder.id == library.embedder.id


def test_a_damaged_or_old_index_of_words_is_made_again(library):
    before = library.search("bread", 4)
    (library.path / WORDS).write_bytes(b"nothing")
    with Library(library.path) as again:
        assert again.search("bread", 4) == before
    library.sync(documents(**{"cats.md": ""}))
    assert "cats.md" not in found(library, "swim", 4)
    with Library(library.path) as again:
        assert "cats.md" not in found(again, "swim", 4)


def test_sync_touches_what_changed(library, monkeypatch):
    embedded = []
    embed = library.embedder.embed
    monkeypatch.setattr(
        library.embedder, "embed", lambda texts, kind="document": embedded.extend(texts) or embed(texts, kind)
    )
    assert str(library.sync(documents())) == "0 added, 0 changed, 0 removed, 4 same" and embedded == []
    changes = library.sync(
        documents(**{"cats.md": "", "stars.md": "# Stars\n\nStars are far.", "new.md": "New ponds."})
    )
    assert (changes.added, changes.changed, changes.removed) == (("new.md",), ("stars.md",), ("cats.md",))
    assert len(embedded) == 2
    assert found(library, "pond")[0] in ("ducks.md", "new.md") and "cats.md" not in found(library, "pond", 10)


def test_words_that_the_embedder_never_saw_are_counted(library):
    assert library.unseen(["ducks.md"]) == 0
    changes = library.sync(documents(**{"odd.md": "Quasars pulsate violently."}))
    assert library.unseen(changes.added) == 1.0


def test_anew_replaces_it_once_the_new_one_is_whole(library):
    library.close()
    with pytest.raises(ConfigError, match="holds a library already"):
        Library.make(library.path, documents(), embedder="lsa")
    with Library.make(library.path, documents(), embedder="lsa", chunker="sentences", max_tokens=8, anew=True) as other:
        assert len(other) > 4 and other.settings["chunker"] == "sentences"
    assert sorted(path.name for path in library.path.parent.iterdir()) == ["library"]


def test_a_failed_replacement_leaves_the_old_one(library):
    library.close()
    with pytest.raises(DataError):
        Library.make(library.path, documents() + documents(), embedder="lsa", anew=True)
    with Library(library.path) as old:
        assert len(old) == 4


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(ConfigError, match=r"holds other things, such as diary\.txt"):
        Library.make(tmp_path, documents(), embedder="lsa")
    assert (tmp_path / "diary.txt").read_text() == "dear diary"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"embedder": "lsi"}, "embedder 'lsi'. Try: lsa"),
        ({"chunker": "heading"}, "Try: headings"),
        ({"max_tokens": 0}, "no room"),
    ],
)
def test_settings_that_do_not_exist(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        Library.make(tmp_path / "library", documents(), **{"embedder": "lsa", **settings})
    assert not (tmp_path / "library").exists()


def test_nothing_to_index(tmp_path):
    with pytest.raises(DataError, match="there are no documents"):
        Library.make(tmp_path / "library", [], embedder="lsa")


def test_no_library_there(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        Library(tmp_path / "nowhere")
    with pytest.raises(DataError, match="there is no library"):
        Library(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"format": 99}), json.dumps({"format": 1, "embedder": "x"})])
def test_damaged_settings(library, text):
    (library.path / SETTINGS).write_text(text)
    with pytest.raises(CheckpointError, match="index the documents again"):
        Library(library.path)


@pytest.mark.parametrize("name", [STORE, LSA_FILE])
def test_damaged_files(library, name):
    library.close()
    for extra in library.path.glob(STORE + "-*"):
        extra.unlink()
    (library.path / name).write_bytes(b"no such thing" * 100)
    with pytest.raises(CheckpointError):
        Library(library.path)


def test_a_killed_run_is_finished_by_the_next(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal, sys
        from tests.rag.test_library import documents
        from tinyllm import kernels
        from tinyllm.rag import Library, ingest

        ingest_module = sys.modules["tinyllm.rag.ingest"]
        ingest_module.BATCH = 1

        def killed(done, total):
            if done == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        with kernels.use("numpy"):
            Library.make(sys.argv[1], documents(), embedder="lsa", progress=killed)
        """
    )
    place = tmp_path / "library"
    done = subprocess.run([sys.executable, "-c", script, str(place)], cwd=os.getcwd(), check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with Library(place) as library:
        assert 0 < len(library) < 4
        changes = library.sync(documents())
        assert len(changes.same) + len(changes.added) == 4 and changes.same
        assert found(library, "who eats weeds in a pond?")[0] == "ducks.md"
