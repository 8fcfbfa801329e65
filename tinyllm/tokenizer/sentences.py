"""Sentences of a text, as spans: rules that know 3.14, e.g., Fig. 3, the U.S., initials, closing quotes and CJK.

A boundary is looked for after every run of ``.``, ``!``, ``?`` and their like, with the quotes and brackets that close
behind it. Whether it is one is asked of the two words beside it:

1. A CJK stop ends a sentence where it stands, and a blank line ends whatever was before it.
2. Everything else needs white space behind it, so 3.14, a URL and file.txt stay whole.
3. A word that goes on in lower case continues the sentence; ``p53`` and ``mRNA`` begin one all the same.
4. After one full stop the word before it decides: ``Dr.`` never ends a sentence, ``No.`` does unless a number follows,
   ``U.S.``, ``etc.`` and an initial do before a word such as ``The`` that begins sentences only.

Every character but white space is in exactly one span, and the time grows with the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import DTypeError

_CLOSERS = "\"'\u2019\u201d\u00bb)\\]}\u300d\u300f\uff09\u3011\u300b*_"
_OPENERS = "\"'\u2018\u201c\u201e\u00ab\u00bf\u00a1([{\u300c\u300e\uff08\u3010\u300a*_"
_WIDE = "\u3002\uff01\uff1f\uff61"  # stops of Chinese and Japanese: no space follows them
_STOPS = ".!?\u2026\u203c\u2047\u2048\u2049\u061f\u0964"
_BREAK = re.compile(
    rf"(?P<blank>\n[^\S\n]*\n)|(?P<wide>[{_WIDE}][{_WIDE}!?.\u2026]*[{_CLOSERS}]*)"
    rf"|(?<![{_STOPS}])(?P<stop>[{_STOPS}]++)[{_CLOSERS}]*+(?=\s|$)"
)
_WORD = re.compile(r"\S+\Z")
_NEXT = re.compile(r"\s++(\S{1,40})")
_LOOK = 40  # no word that matters is longer


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# never the last word of a sentence
_NEVER = _words(
    "e.g i.e eg ie cf viz vs al approx ca resp fig figs eq eqs sec secs chap ref refs tab vol vols pp ed eds "
    "dr mr mrs ms messrs prof st mt gen col capt lt sgt rev hon gov pres sen rep adm maj mlle mme fr"
)
# not the last one where a number follows
_BEFORE_NUMBER = _words("no nos nr p n art par para ver v ch pt jan feb mar apr jun jul aug sep sept oct nov dec")
# the last one only where the next word is sure to begin a sentence
_PERHAPS = _words(
    "etc inc ltd co corp jr sr dept univ assn bros u.s u.k u.n e.u u.s.a a.m p.m ph.d m.d b.a m.a d.c b.c a.d "
    "spp sp subsp var ave blvd rd"
)
_BEGINNERS = _words(
    "the a an this that these those it its he she they we you i his her their our my there here in on at by for from "
    "with as to of when while where what who why how if although though because since after before during however "
    "thus therefore hence moreover furthermore further additionally finally first second also but and or so yet not no "
    "such both each all some many most one two three is are was were do does did can could may let then once until "
    "unlike despite using among"
)
_LETTERS_AND_DOTS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Find the sentences of a text.

    Args:
        text: any str.

    Returns:
        (begin, end) of each sentence, in order, without white space at either end; only white space lies between.

    Raises:
        DTypeError: text is no str.

    Example:
        >>> text = "Pi is 3.14 (see Fig. 3). Who said so? Dr. J. Smith et al. did."
        >>> [text[begin:end] for begin, end in sentence_spans(text)]
        ['Pi is 3.14 (see Fig. 3).', 'Who said so?', 'Dr. J. Smith et al. did.']
    """
    if not isinstance(text, str):
        raise DTypeError(f"the text is a {type(text).__name__}", hint="a str")
    spans = []
    begin = 0
    for end in (*_boundaries(text), len(text)):
        stretch = text[begin:end]
        first = begin + len(stretch) - len(stretch.lstrip())
        last = begin + len(stretch.rstrip())
        if first < last:
            spans.append((first, last))
        begin = end
    return spans


def _boundaries(text: str) -> Iterator[int]:
    """Yield where sentences end."""
    begin = 0  # of the sentence that is being read
    for found in _BREAK.finditer(text):
        if found["blank"] is not None or found["wide"] is not None or _ends(text, found, begin):
            yield found.end()
            begin = found.end()


def _ends(text: str, found: re.Match[str], begin: int) -> bool:
    """Tell whether a stop with white space behind it ends the sentence that began at ``begin``."""
    following = _NEXT.match(text, found.end())
    if following is None:
        return True
    bare = following[1].lstrip(_OPENERS)
    if not _may_begin(bare):
        return False
    if found["stop"] != ".":
        return True
    window = text[max(begin, found.start() - _LOOK) : found.start()]
    before = _WORD.search(window)
    if before is None:  # a full stop with a space before it
        return True
    word = before[0].lstrip(_OPENERS)
    return _may_end(word, _first_word(bare), alone=not window[: before.start()].strip())


def _may_begin(word: str) -> bool:
    """Tell whether a word can begin a sentence: not in lower case all through, and no sign that goes on."""
    if not word or not word[0].isalnum():
        return False
    if not word[0].islower():
        return True
    name = re.match(r"[\w-]+", word)  # miR-21, p53, mTOR
    return name is not None and any(c.isupper() or c.isdigit() for c in name[0])


def _first_word(bare: str) -> str:
    name = re.match(r"\w+", bare)
    return name[0] if name else ""


def _may_end(word: str, following: str, alone: bool) -> bool:
    """Tell whether a word with one full stop behind it ends a sentence before another one.

    ``alone`` says that the word is all there is of the sentence, as the number of a list is.
    """
    low = word.lower()
    sure = following.lower() in _BEGINNERS and not (following.isupper() and len(following) > 1)
    if alone and (word.isdigit() or len(word) == 1):
        return False
    if low in _NEVER or low.rpartition("-")[2] in _NEVER:
        return False
    if low in _BEFORE_NUMBER:
        return not following[:1].isdigit()
    if low in _PERHAPS or _LETTERS_AND_DOTS.fullmatch(word):
        return sure
    if len(word) == 1 and word.isupper() and word != "I":  # an initial, or vitamin C
        return sure
    return True
