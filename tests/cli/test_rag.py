"""``tinyllm rag``: a folder becomes a library, is searched and asked, and pipelines are measured."""

from __future__ import annotations

import json

import pytest

from tinyllm import kernels

DUCKS = "# Ducks\n\nDucks swim in ponds. They eat weeds and, sadly, bread.\n"
STARS = "# Stars\n\nStars shine at night because hydrogen turns into helium inside of them.\n"


@pytest.fixture(autouse=True)
def readable():
    with kernels.use("numpy"):
        yield


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "ducks.md").write_text(DUCKS, "utf-8")
    (folder / "stars.md").write_text(STARS, "utf-8")
    (folder / "photo.jpg").write_bytes(bytes(range(256)) * 10)
    return folder


@pytest.fixture
def library(tinyllm, notes):
    done = tinyllm("rag", "index", notes, "--embedder", "lsa")
    assert (done.code, done.err) == (0, "")
    return "libraries/notes"


def test_index_says_what_is_there_and_what_was_left_out(tinyllm, notes, library):
    done = tinyllm("rag", "index", notes)
    assert done.code == 0
    for words in ("2 documents in 2 passages", "0 added, 0 changed, 0 removed, 2 same", "1 left out", "photo.jpg: "):
        assert words in done.out
    assert "\x1b" not in done.out


def test_index_follows_the_folder(tinyllm, notes, library):
    (notes / "ducks.md").unlink()
    (notes / "cats.md").write_text("Cats sleep on sofas.", "utf-8")
    facts = json.loads(tinyllm("rag", "index", notes, "--json").out)
    assert (facts["added"], facts["removed"], facts["documents"]) == (["cats.md"], ["ducks.md"], 2)
    assert facts["unseen"] == 1.0 and facts["library"] == library
    (notes / "odd.md").write_text("Quasars pulsate violently.", "utf-8")
    assert "100% of the new documents' words are unknown" in tinyllm("rag", "index", notes).out
    anew = json.loads(tinyllm("rag", "index", notes, "--anew", "--json", "--embedder", "lsa").out)
    assert anew["unseen"] == 0.0 and anew["embedder"] != facts["embedder"]


def test_index_takes_files_and_the_manual(tinyllm, notes):
    done = tinyllm(
        "rag", "index", notes / "ducks.md", notes / "stars.md", "--to", "both", "--embedder", "lsa", "--json"
    )
    assert json.loads(done.out)["documents"] == 2
    assert "text" in tinyllm("rag", "index", notes / "photo.jpg", "--to", "photo").err


def test_search_shows_passages_with_every_stage(tinyllm, library):
    done = tinyllm("rag", "search", library, "who swims in a pond", "-k", "1")
    assert done.code == 0 and done.err == ""
    for words in ("1  ducks.md", "Ducks swim in ponds", "bm25 ", "dense ", "rrf ", "1 of 2 passages"):
        assert words in done.out
    (hit,) = json.loads(tinyllm("rag", "search", library, "swim", "-k", "1", "--json").out)["hits"]
    assert hit["document"] == "ducks.md" and DUCKS[hit["start"] : hit["end"]] == hit["text"]
    assert tinyllm("rag", "search", library, "zzz").code == 0


def test_ask_cites_and_checks_or_abstains(tinyllm, library):
    done = tinyllm("rag", "ask", library, "Why do stars shine at night?", "--sentences", "1")
    assert done.code == 0 and "hydrogen turns into helium" in done.out and "supported: characters" in done.out
    assert "Not checked: that the statement follows" in " ".join(done.out.split())
    found = json.loads(tinyllm("rag", "ask", library, "Why do stars shine at night?", "--json").out)
    (first, *_) = found["citations"]
    assert first["verdict"] == "supported" and STARS[first["start"] : first["end"]] == first["quote"]
    silent = json.loads(tinyllm("rag", "ask", library, "Who wrote Hamlet?", "--json").out)
    assert silent["abstained"] and not silent["citations"]


def test_eval_of_a_collection_and_of_a_library(tinyllm, tmp_path, library):
    found = json.loads(tinyllm("rag", "eval", "--metrics", "ndcg@10,mrr", "--json").out)
    assert found["queries"] == 12 and found["ndcg@10"]["mean"] > 0.8 and "mrr" in found
    (tmp_path / "q.json").write_text('{"q": {"text": "what swims", "grades": {"ducks.md": 1}}}')
    done = tinyllm("rag", "eval", "--library", library, "--queries", "q.json", "--metrics", "success@1")
    assert done.code == 0 and "success@1   1.000" in done.out
    (tmp_path / "q.json").write_text('{"q": {"text": "what swims", "grades": {"duck.md": 1}}}')
    done = tinyllm("rag", "eval", "--library", library, "--queries", "q.json")
    assert done.code == 1 and "judges 'duck.md', which is not in" in done.err


def test_ladder_prints_draws_and_judges(tinyllm, tmp_path):
    done = tinyllm("rag", "ladder", "--steps", "substring,bm25,rrf", "--dim", "8", "--plot", "l.svg")
    assert (done.code, done.err) == (0, "")
    for words in ("toy, ndcg@10: 12 queries", "p (Holm)", "each_step_improves_metrics: False", "picture: l.svg"):
        assert words in done.out
    assert (tmp_path / "l.svg").read_text("utf-8").startswith("<?xml")
    found = json.loads(tinyllm("rag", "ladder", "--steps", "substring,bm25", "--json").out)["ladders"][0]
    assert [step["name"] for step in found["steps"]] == ["substring", "bm25"] and isinstance(found["improves"], bool)


def test_ladder_of_a_folder_of_ones_own(tinyllm, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    texts = {"a": "Ducks swim.", "b": "Cats sleep.", "c": "Stars shine."}
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    (folder / "documents.jsonl").write_text("\n".join(lines))
    (folder / "queries.json").write_text('{"q": {"text": "swimming", "grades": {"a": 1}}}')
    done = tinyllm("rag", "ladder", folder, "--steps", "substring,bm25")
    assert done.code == 0 and "mine, ndcg@10: 1 queries" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rag", "serch"), "there is no command 'serch'. Try: search"),
        (("rag", "search", "nowhere", "x"), "nowhere: there is no such folder. Try: tinyllm rag index"),
        (("rag", "search", "nowhere", " "), "the query is empty"),
        (("rag", "ask", "nowhere", ""), "the question is empty"),
        (("rag", "index", "nowhere"), "nowhere"),
        (("rag", "index", "notes", "notes"), "one folder"),
        (("rag", "index", "python-manual", "--only", "*.md"), "--only chooses files of a folder"),
        (("rag", "index", "notes", "--to", "notes", "--embedder", "lsa"), "holds other things"),
        (("rag", "ladder", "crainfield"), "there is no collection 'crainfield'. Try: cranfield"),
        (("rag", "ladder", "cranfield"), "TINYLLM_DATA"),
        (("rag", "ladder", "--steps", "bm25"), "two or more"),
        (("rag", "ladder", "--steps", "bm25,bm26"), "there is no rung 'bm26'"),
        (("rag", "ladder", "--metric", "ndgc"), "no metric 'ndgc'"),
        (("rag", "eval", "--library", "x"), "belong together"),
    ],
)
def test_bad_input_gets_one_line(tinyllm, notes, arguments, words):
    done = tinyllm(*arguments)
    assert done.code == 1 and done.out == "" and len(done.err.splitlines()) == 1
    assert words in done.err


def test_another_setting_than_the_library_s(tinyllm, notes, library):
    done = tinyllm("rag", "index", notes, "--chunker", "fixed")
    assert done.code == 1 and "was made with chunker headings. Try: --anew" in done.err
    assert tinyllm("rag", "index", notes, "--chunker", "fixed", "--embedder", "lsa", "--anew").code == 0


def test_hostile_text_does_not_reach_the_terminal(tinyllm, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.md").write_text("The pond \x1b[2J\x1b]0;owned is deep and \u202ecold\u202c today.", "utf-8")
    assert tinyllm("rag", "index", folder, "--embedder", "lsa").code == 0
    for command in ("search", "ask"):
        done = tinyllm("rag", command, "libraries/bad", "How deep is the pond?")
        assert done.code == 0 and "\x1b" not in done.out and "\u202e" not in done.out


def test_the_words_of_the_commands_are_listed(tinyllm):
    done = tinyllm("rag")
    assert done.code == 0 and all(
        f"tinyllm rag {word}" in done.out for word in ("index", "search", "ask", "eval", "ladder")
    )


def test_colors_of_the_query_s_words():
    from tinyllm.cli.rag.passages import marked

    line = marked("Two ducks were swimming by.", "a duck that swims")
    assert [line.plain[span.start : span.end] for span in line.spans] == ["ducks", "swimming"]
