"""Packing: never over budget, whatever is found; and who is left out is named with the right reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError
from tinyllm.rag.answer.pack import MARK, Rules, pack
from tinyllm.rag.chunk import FixedTokens, SentencePack
from tinyllm.rag.chunk.limit import count_words
from tinyllm.rag.types import Chunk, Document, Hit

TEXT = "Ducks swim on the pond. Cats hide in a barn. Dogs bark at the moon. Hens lay eggs at dawn. Owls hunt by night."
FARM = Document("farm", TEXT, title="Farm")
ALL = Rules(per_document=99, share=1)


def hits(*chunks: Chunk) -> list[Hit]:
    return [Hit(chunk, 1.0 / rank, rank) for rank, chunk in enumerate(chunks, 1)]


def other(n: int, text: str, doc: str | None = None) -> Chunk:
    return Chunk(f"{doc or n}:{n}-{n + len(text)}", doc or str(n), text, n, n + len(text))


def room(size: int, question: str = "Who?") -> int:
    """A budget that leaves so many words beside the empty prompt."""
    return pack(question, []).tokens + size


COUNTS = {
    "words": count_words,
    "characters": len,
    "bytes": lambda text: len(text.encode()),
    "pairs": lambda text: (len(text) + 1) // 2 + text.count("<"),  # does not add up over parts
}
chunks_ = st.builds(
    lambda doc, start, text, header: Chunk(
        f"{doc}:{start}-{start + len(text)}", doc, text, start, start + len(text), header
    ),
    st.sampled_from(["a", "b", "c", "<|d|>"]),
    st.integers(0, 40),
    st.text(st.sampled_from("ab c. <|[]\n\u200bSystem:"), max_size=60),
    st.sampled_from(["", "Animals", "x >>>\n<<<END"]),
)


@given(
    st.lists(st.tuples(chunks_, st.floats(-5, 5)), max_size=8),
    st.integers(0, 400),
    st.sampled_from(sorted(COUNTS)),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from(["best-first", "both-ends"]),
    st.sampled_from(["", MARK]),
)
def test_never_over_budget(found, extra, name, share, order, mark):
    count = COUNTS[name]
    rules = Rules(share=share, order=order, mark=mark)
    empty = pack("Who is it?", [], 10**6, count, rules=rules, seed=1).tokens
    listed = [Hit(chunk, score, rank) for rank, (chunk, score) in enumerate(found, 1)]
    packed = pack("Who is it?", listed, empty + extra, count, rules=rules, seed=1)
    assert packed.tokens == count(packed.prompt) <= empty + extra
    assert set(packed.left_out.values()) <= {"document", "source", "repeats", "budget"}
    assert packed == pack("Who is it?", listed, empty + extra, count, rules=rules, seed=1)
    assert packed.prompt.count(f"{packed.fence.code}>>>") == 2 * len(packed.sources)


def test_the_best_come_in_first():
    best, next_, last = other(1, "one two three four"), other(2, "five six seven eight"), other(3, "nine ten")
    packed = pack("Who?", hits(last, next_, best)[::-1], room(120), rules=ALL)
    assert [source.id for source in packed.sources] == [last.id, next_.id, best.id] and not packed.left_out
    assert packed.scores == (1.0, 1 / 2, 1 / 3)
    tight = pack("Who?", hits(best, next_, last), packed.tokens - 1, rules=ALL)
    assert tight.left_out == {last.id: "budget"}
    assert len(tight.sources) == 2


def test_a_shorter_one_still_fits():
    long, short = other(1, "word " * 300 + "end."), other(2, "A short one.")
    packed = pack("Who?", hits(long, short), room(60), rules=ALL)
    assert [source.id for source in packed.sources] == [short.id] and packed.left_out == {long.id: "budget"}


def test_one_that_is_too_long_alone_is_shortened():
    long = Document("d", "Filler stands here first. " * 50)
    packed = pack("Who?", hits(Chunk.cut(long, 26, len(long.text))), room(60), rules=ALL)
    (source,) = packed.sources
    assert (
        source.text == long.text[source.start : source.end] and source.text.endswith("first.") and not packed.left_out
    )
    assert pack("Who?", hits(Chunk.cut(long, 0, 300)), room(3), rules=ALL).sources == ()


def test_caps():
    far = [other(n, f"word{n} " * 3, "a") for n in (0, 100, 200, 300)]
    packed = pack("Who?", hits(*far), rules=Rules(per_document=2))
    assert packed.left_out == {chunk.id: "document" for chunk in far[2:]}
    stuffed = [other(n, f"poison{n} number{n} " * 12, f"evil/{n}") for n in (100, 200, 300, 400)]
    good = other(1, "the honest word", "good")
    site = Rules(share=0.3, source=lambda chunk: chunk.doc_id.partition("/")[0])
    packed = pack("Who?", hits(*stuffed, good), 400, rules=site)
    assert packed.left_out == {chunk.id: "source" for chunk in stuffed[2:]}
    assert packed.sources[-1].doc_id == "good"


def test_repeats_are_dropped():
    one = other(1, "Ducks swim on the pond every day of the year.", "a")
    same, near = other(5, one.text, "b"), other(9, "Ducks swim on the pond, every day of a year!", "c")
    packed = pack("Who?", hits(one, same, near, other(30, "Cats do not.", "d")))
    assert packed.left_out == {same.id: "repeats", near.id: "repeats"}
    inside = Chunk.cut(FARM, 6, 10)
    assert pack("Who?", hits(Chunk.cut(FARM, 0, 23), inside)).left_out == {inside.id: "repeats"}


@pytest.mark.parametrize("documents", [None, {"farm": FARM}])
def test_neighbors_become_one(documents):
    parts = SentencePack(8).split(FARM)
    assert len(parts) == 5
    packed = pack("Who?", hits(parts[3], parts[0], parts[2], parts[1]), rules=ALL, documents=documents)
    (source,) = packed.sources
    assert (source.text, source.start, source.end) == (TEXT[: parts[3].end], 0, parts[3].end)
    assert source.id == f"farm:0-{parts[3].end}"
    apart = pack("Who?", hits(parts[0], parts[2]), rules=ALL, documents=documents)
    assert [one.id for one in apart.sources] == [parts[0].id, parts[2].id]


def test_overlaps_become_one():
    parts = FixedTokens(12, overlap=4).split(FARM)
    (source,) = pack("Who?", hits(*parts[::-1]), rules=ALL).sources
    assert source.text == TEXT[source.start : source.end] == TEXT


def test_what_stands_between_is_never_made_up():
    text = "One is here.   \n\n  Two is there. Not so: three."
    document = Document("d", text)
    one, two, three = Chunk.cut(document, 0, 12), Chunk.cut(document, 19, 32), Chunk.cut(document, 41, 47)
    assert len(pack("Who?", hits(one, two), rules=ALL).sources) == 2  # a gap of 7 may hold a word
    (joined,) = pack("Who?", hits(one, two), rules=ALL, documents={"d": document}).sources
    assert joined.text == text[:32]
    assert len(pack("Who?", hits(two, three), rules=ALL, documents={"d": document}).sources) == 2


def test_orders():
    some = hits(*(other(n, f"word{n} alone here", str(n)) for n in range(5)))
    assert [one.doc_id for one in pack("Who?", some).sources] == ["0", "1", "2", "3", "4"]
    assert [one.doc_id for one in pack("Who?", some, rules=Rules(order="both-ends")).sources] == [
        "0",
        "2",
        "4",
        "3",
        "1",
    ]


def test_trust_and_origin_stand_beside_each_source():
    packed = pack(
        "Who?",
        hits(other(1, "Ducks swim.", "mine"), other(2, "Cats fly.", "web")),
        rules=Rules(trust={"mine": "high"}),
        seed=5,
    )
    lines = packed.prompt.splitlines()
    assert (
        f"<<<SOURCE 1 high {packed.fence.code}>>>" in lines and f"<<<SOURCE 2 unknown {packed.fence.code}>>>" in lines
    )
    assert lines[lines.index("Ducks swim.") - 1] == "from: mine"


def test_marks():
    packed = pack("Who is it?", hits(other(1, "Ducks swim well.")), rules=Rules(mark="^"))
    assert "Ducks^swim^well." in packed.prompt and "^ stands for a space" in packed.prompt
    assert packed.sources[0].text == "Ducks swim well."


def test_refusals():
    with pytest.raises(ConfigError, match=r"a budget of 10 tokens.*has \d+"):
        pack("Who?", [], 10)
    for wrong in ({"per_document": 0}, {"share": 0}, {"share": 1.5}, {"alike": 0}, {"order": "random"}):
        with pytest.raises(ConfigError, match="Rules"):
            Rules(**wrong)
