"""What every chunker keeps to, ours or a user's: one suite for all of them, and the laws of each."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError
from tinyllm.rag import Chunker, Document
from tinyllm.rag.chunk import FixedTokens, Headings, Limit, Semantic, SentencePack, contextual_header, count_words
from tinyllm.rag.chunk.header import fitted_header
from tinyllm.rag.chunk.headings import line_spans, stretches
from tinyllm.rag.chunk.packing import Packing, character_spans
from tinyllm.rag.chunk.semantic import exact_cuts, greedy_cuts
from tinyllm.tokenizer.sentences import sentence_spans


class Fake:
    """An embedder whose tokens are words of at most four letters, and whose vectors follow from the text."""

    id = "fake"
    dim = 5

    def __init__(self, max_tokens=16, odd=False):
        self.max_tokens = max_tokens
        self.odd = odd  # counts that shrink where the text grows
        self.calls = []

    def count(self, text):
        pieces = sum(1 for _ in re.finditer(r"\w{1,4}|[^\w\s]", text))
        return max(0, pieces - 2 * text.endswith("go")) if self.odd else pieces

    def embed(self, texts, kind="document"):
        self.calls.append((list(texts), kind))
        seeds = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:5] for text in texts]
        return np.array([list(seed) for seed in seeds], np.float32) - 128


FAKE, ODD = Fake(), Fake(odd=True)
WHOLE = {
    "sentences": SentencePack(embedder=FAKE),
    "sentences, header": SentencePack(12, FAKE, contextual_header),
    "sentences, odd counts": SentencePack(embedder=ODD),
    "headings": Headings(embedder=FAKE),
    "semantic": Semantic(FAKE, penalty=0.3),
    "semantic, odd counts": Semantic(ODD, penalty=1.0, header=contextual_header),
    "semantic, greedy": Semantic(FAKE, 14, cuts="greedy"),
}
DISJOINT = {**WHOLE, "fixed": FixedTokens(embedder=FAKE), "fixed, no embedder": FixedTokens(9)}
ALL = {**DISJOINT, "overlap": FixedTokens(12, 4, FAKE), "overlap, header": FixedTokens(12, 3, ODD, contextual_header)}

PARTS = [
    "One",
    "ducks",
    "Fig.",
    "3.14",
    ".",
    ". ",
    "? ",
    " ",
    " ",
    "\n\n",
    "\u3002",
    "go",
    "strawberries",
    "\n# A\n",
    "```\n",
]
texts = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PARTS), max_size=40).map("".join))
titles = st.sampled_from(["", "Ducks", "A title that is much longer than any of its chunks may ever be, by far"])


def limit_of(chunker):
    return Limit.of(chunker.embedder, chunker.max_tokens)


def check_chunker(chunker, document):
    """The suite: whatever is a Chunker passes it with any document."""
    chunks = chunker.split(document)
    assert isinstance(chunker, Chunker) and chunker.split(document) == chunks
    if not document.text.strip():
        assert len(chunks) == bool(document.title.strip())
        assert all(chunk.start == chunk.end == 0 and chunk.full.strip() for chunk in chunks)
    limit = limit_of(chunker)
    for ordinal, chunk in enumerate(chunks):
        assert chunk.text == document.text[chunk.start : chunk.end] == chunk.text.strip()
        assert chunk.id == f"{document.id}:{chunk.start}-{chunk.end}" and chunk.doc_id == document.id
        assert chunk.ordinal == ordinal
        assert chunk.n_tokens == limit.count(chunk.full) + limit.frame <= limit.max_tokens
    covered = 0
    for before, chunk in zip([None, *chunks], chunks, strict=False):
        assert before is None or (chunk.start > before.start and chunk.end > before.end)
        assert not document.text[covered : chunk.start].strip()  # nothing is lost
        covered = chunk.end
    assert not document.text[covered:].strip() or not chunks
    assert bool(chunks) == bool(document.text.strip() or document.title.strip())
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    return chunks


@pytest.mark.parametrize("name", ALL)
@given(text=texts, title=titles)
def test_every_chunker(name, text, title):
    chunks = check_chunker(ALL[name], Document("a/b", text, title=title))
    if name in DISJOINT:
        assert all(one.end <= two.start for one, two in pairwise(chunks))


@pytest.mark.parametrize("name", [name for name in WHOLE if "headings" not in name])
@given(text=texts)
def test_no_cut_inside_of_a_sentence_that_fits(name, text):
    chunker = WHOLE[name]
    document = Document("x", text)
    packing = Packing(document, limit_of(chunker), chunker.header)
    cuts = {at for chunk in chunker.split(document) for at in (chunk.start, chunk.end)}
    for begin, end in sentence_spans(text):
        if any(begin < cut < end for cut in cuts):
            assert not packing.fits(begin, end)


def test_chunks_are_full():
    text = "Ducks swim a lot. Cats do not. Dogs do if they must. Cows may."
    assert [chunk.text for chunk in SentencePack(9).split(Document("x", text))] == [
        "Ducks swim a lot. Cats do not.",
        "Dogs do if they must. Cows may.",
    ]
    assert [chunk.text for chunk in SentencePack(4).split(Document("x", text[:30]))] == [
        "Ducks swim a",
        "lot.",
        "Cats do not.",
    ]


def test_a_word_longer_than_a_chunk_is_cut_at_characters():
    fake = Fake(5)
    chunks = SentencePack(embedder=fake).split(Document("x", "Eat strawberries. Go."))
    assert [chunk.text for chunk in chunks] == ["Eat", "strawberries", ".", "Go."]
    assert [chunk.text for chunk in FixedTokens(4, embedder=fake).split(Document("x", "a strawberries b"))] == [
        "a",
        "strawber",
        "ries",
        "b",
    ]


def test_overlap():
    words = " ".join("abcdefgh")
    assert [c.text for c in FixedTokens(4, 2).split(Document("x", words))] == ["a b c d", "c d e f", "e f g h"]
    assert [c.text for c in FixedTokens(4, 0).split(Document("x", words))] == ["a b c d", "e f g h"]
    assert [c.text for c in FixedTokens(3, 2).split(Document("x", "a b ++ c"))] == ["a b", "b ++", "++ c"]
    texts = [chunk.text for chunk in FixedTokens(4, 3).split(Document("x", "a b c d +++ e"))]
    assert texts == ["a b c d", "d +++", "+++ e"]  # less overlap where the next word is long
    for bad in (-1, 4, 1.5):
        with pytest.raises(ConfigError, match="from 0 to 3"):
            FixedTokens(4, bad)


@pytest.mark.parametrize("kind", [FixedTokens, SentencePack, Headings, Semantic])
def test_more_than_the_embedder_reads_is_refused(kind):
    fake = Fake(256)
    with pytest.raises(ConfigError, match=r"512 tokens: fake reads 256.*max_tokens=256"):
        kind(max_tokens=512, embedder=fake)
    for none in (2, 0, -1, 2.5):
        with pytest.raises(ConfigError, match="no room"):
            kind(max_tokens=none, embedder=fake)
    assert limit_of(kind(embedder=fake)) == Limit(256, fake.count, 2)


def test_limits_of_embedders():
    everything = Fake(None)
    assert Limit.of(everything, None) == Limit(256, everything.count, 0)
    assert Limit.of(None, None) == Limit(256, count_words, 0) and Limit.of(everything, 1000).max_tokens == 1000
    assert Limit(9, FAKE.count, 2).tokens("Ducks", "Swim") == 5
    assert not Limit(4, FAKE.count, 2).fits("Ducks", "Swim") and Limit(5, FAKE.count, 2).fits("Ducks", "Swim")


def test_a_character_that_does_not_fit_is_told():
    with pytest.raises(ConfigError, match=r"document 'x'.*not one character fits 3 tokens"):
        SentencePack(3, replace_count(lambda text: 7 * bool(text))).split(Document("x", "Ducks."))


def replace_count(count):
    fake = Fake(16)
    fake.count = count
    return fake


def test_headers():
    document = Document("x", "Ducks swim. Cats do not.", title="Two\nAnimals", section=("Farm",))
    assert contextual_header(document, ("Cats",), 12) == "Two Animals | Farm > Cats | 50%"
    assert contextual_header(Document("x", "Ducks.")) == ""
    assert fitted_header("A title of six words here", Limit(8)) == "A title of six"
    chunks = SentencePack(7, header=contextual_header).split(document)
    assert [chunk.header for chunk in chunks] == ["Two Animals", "Two Animals"]  # cut to half of the room
    assert chunks[0].full == "Two Animals\nDucks swim." and chunks[0].text == "Ducks swim."


def test_a_title_alone_can_be_found():
    (chunk,) = SentencePack().split(Document("471", " ", title="On wings"))
    assert (chunk.text, chunk.full, chunk.id, chunk.n_tokens) == ("", "On wings", "471:0-0", 2)
    (long,) = SentencePack(embedder=Fake(6)).split(Document("995", "", title="wide wing span duck goose"))
    assert long.full == "wide wing span duck"


MARKDOWN = """Before all.

# Ducks #
They swim. They fly.

```python
# no heading. Really
quack()
```

Food
----
Bread.
### Wild *food*
Seeds.
# Cats
"""


def test_headings_of_markdown():
    parts = stretches(MARKDOWN)
    assert [part.path for part in parts] == [
        (),
        ("Ducks",),
        ("Ducks", "Food"),
        ("Ducks", "Food", "Wild *food*"),
        ("Cats",),
    ]
    assert [MARKDOWN[a:b] for a, b in parts[1].units] == [
        "# Ducks #",
        "They swim.",
        "They fly.",
        "```python\n# no heading. Really\nquack()\n```",
    ]
    chunks = check_chunker(Headings(30), Document("x", MARKDOWN, title="Birds"))
    assert [chunk.header for chunk in chunks][:2] == ["Birds", "Birds | Ducks | 9%"] and len(chunks) == 5


def test_fences_stay_whole_or_are_cut_at_lines():
    fence = "```\none = 1\ntwo = 2\n```"
    document = Document("x", f"Look here, a list.\n{fence}\nIt ends.")
    texts = [chunk.text for chunk in Headings(12, header=None).split(document)]
    assert texts == ["Look here, a list.", fence, "It ends."]
    texts = [chunk.text for chunk in Headings(6, header=None).split(document)]
    assert texts == ["Look here, a list.", "```\none = 1", "two = 2\n```", "It ends."]
    assert stretches("~~~\n# a\n```\n")[0].units == [(0, 11)]  # nothing closes it


def test_headings_of_plain_text():
    text = (
        "Preface here.\n\nChapter IV\n\nDucks swim.\n\n2.1 Wild ducks\n\nThey fly.\n\n3 ducks swam.\n\nPart 2\n\nCats."
    )
    assert [part.path for part in stretches(text)] == [
        (),
        ("Chapter IV",),
        ("Chapter IV", "2.1 Wild ducks"),
        ("Part 2",),
    ]
    assert stretches("Chapter IV of my life was\nlong.")[0].path == ()


def test_lines_and_characters():
    assert line_spans(" a \n\n b", 0, 7) == [(1, 2), (6, 7)] and character_spans("a b", 1, 3) == [(2, 3)]


@pytest.mark.parametrize("line", ["# x" + " " * 50_000 + "y", "`" * 50_000, "#" * 50_000, "1." * 25_000, "-" * 50_000])
def test_hostile_lines_take_linear_time(line):
    assert stretches(f"a\n{line}\nb")


def worth(vectors, ends, penalty):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    spans = zip([0, *ends[:-1]], ends, strict=True)
    return sum((unit[a:b].sum(0) ** 2).sum() / (b - a) for a, b in spans) - penalty * len(ends)


@given(st.integers(1, 7), st.integers(0, 10_000), st.floats(0, 1.5), st.integers(1, 7))
def test_exact_cuts_are_the_best_of_all(n, seed, penalty, longest):
    vectors = np.random.default_rng(seed).normal(size=(n, 3)) + 0.5
    reach = [min(i + longest, n) for i in range(n)]
    ends = exact_cuts(vectors, penalty, reach)
    best = -np.inf
    for bits in range(1 << (n - 1)):
        other = [i for i in range(1, n) if bits >> (i - 1) & 1] + [n]
        if max(np.diff([0, *other])) <= longest:
            best = max(best, worth(vectors, other, penalty))
    assert max(np.diff([0, *ends])) <= longest and ends[-1] == n
    assert worth(vectors, ends, penalty) == pytest.approx(best, abs=1e-9)


def test_exact_cuts_by_hand():
    topics = np.repeat(np.eye(3), [4, 2, 5], axis=0)
    assert exact_cuts(topics) == [4, 6, 11]
    assert exact_cuts(np.ones((6, 2))) == [6]
    assert exact_cuts(topics, refused={(0, 4)}) in ([1, 4, 6, 11], [3, 4, 6, 11], [2, 4, 6, 11], [4, 6, 11][1:])
    assert exact_cuts(np.zeros((0, 3))) == greedy_cuts(np.zeros((0, 3))) == []
    assert exact_cuts(np.zeros((1, 3))) == greedy_cuts(np.zeros((1, 3))) == [1]


def test_greedy_cuts_by_hand():
    topics = np.repeat(np.eye(2), 15, axis=0)
    assert greedy_cuts(topics) == [15, 30]
    assert greedy_cuts(np.ones((6, 2))) == [6]
    assert greedy_cuts(np.vstack([topics, topics]), percentile=50) == [15, 30, 45, 60]


def test_semantic_follows_the_meaning():
    class Topics(Fake):
        def embed(self, texts, kind="document"):
            self.calls.append((list(texts), kind))
            return np.array([[1, 0] if "uck" in text else [0, 1] for text in texts], np.float32)

    topics = Topics(64)
    text = "Ducks swim. A duck flies. Ducks eat. Stars shine. A star is hot. Stars move."
    chunks = Semantic(topics).split(Document("x", text))
    assert [chunk.text for chunk in chunks] == [text[:36], text[37:]]
    assert len(topics.calls) == 1 and topics.calls[0][1] == "document" and len(topics.calls[0][0]) == 6
    assert len(Semantic(topics, penalty=9.0).split(Document("x", text))) == 1


def test_what_the_cuts_choose_is_counted():
    """Of these counts the one of a shorter text is greater: the chunk one would choose by its meaning does not fit."""

    class Topics(Fake):
        def count(self, text):
            return 100 if text == "A duck. B duck." else len(text.split())

        def embed(self, texts, kind="document"):
            return np.array([[1, 0] if "uck" in text else [0, 1] for text in texts], np.float32)

    chunks = check_chunker(Semantic(Topics(), penalty=0.1), Document("x", "A duck. B duck. A star."))
    assert [chunk.text for chunk in chunks] == ["A duck.", "B duck.", "A star."]


def test_semantic_refuses_nonsense():
    class Broken(Fake):
        def embed(self, texts, kind="document"):
            return self.made

    broken = Broken()
    for made in (np.ones((1, 5)), np.ones(2), np.full((2, 5), np.nan)):
        broken.made = made
        with pytest.raises(DataError, match=r"fake gave an array .* for 2 sentences"):
            Semantic(broken).split(Document("x", "One. Two."))
    with pytest.raises(ConfigError, match="penalty of -1"):
        Semantic(FAKE, penalty=-1)
    with pytest.raises(ConfigError, match="cuts='best'"):
        Semantic(FAKE, cuts="best")
