"""Porter2, the stemmer of English: what the forms of a word have in common, such as "connect" for "connections".

Suffixes come off in nine steps, and where one may come off is said by two regions of the word. R1 begins after the
first non-vowel that follows a vowel, R2 is found the same way inside of R1: beaut|iful has its R1 at "iful" and its R2
at "ul". A ``y`` that sounds as a consonant, at the beginning or after a vowel, is written ``Y`` meanwhile.

The stems are those of Snowball's versions 3, which leave some pairs apart that versions 2 had thrown together (past and
paste, internal and intern). A letter with an accent counts as a non-vowel.

Source: Porter 1980; Porter, "The English (Porter2) stemming algorithm", as revised for Snowball 3.
"""

from __future__ import annotations

import functools

VOWELS = frozenset("aeiouy")
DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
BEFORE_LI = frozenset("cdeghkmnrt")

# words that the rules would spoil: what becomes of them
WHOLE = {
    "skies": "sky", "skis": "ski", "idly": "idl", "gently": "gentl", "ugly": "ugli", "early": "earli",
    "only": "onli", "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}  # fmt: skip
# beginnings after which R1 starts at once, or two families of words would get one stem
BEGINNINGS = ("arsen", "commun", "emerg", "gener", "inter", "later", "organ", "past", "univers")
NOUNS_IN_ING = frozenset({"inn", "out", "cann", "herr", "earr", "even"})
VERBS_IN_EED = frozenset({"proc", "exc", "succ"})

# suffix -> what stands there afterwards; the longest that fits is the one that counts
STEP_2 = {
    "tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize", "ization": "ize",
    "ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al", "fulness": "ful",
    "ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble", "bli": "ble", "ogist": "og",
    "ogi": "og", "fulli": "ful", "lessli": "less", "li": "",
}  # fmt: skip
STEP_3 = {
    "tional": "tion", "ational": "ate", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic", "ful": "",
    "ness": "", "ative": "",
}  # fmt: skip
RESIDUES = "al ance ence er ic able ible ant ement ment ent ism ate iti ous ive ize ion"
STEP_4 = dict.fromkeys(RESIDUES.split(), "")


@functools.lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """Return the stem of one English word in lower case.

    Words of one or two letters, and what is no English word, come back much as they are: nothing is refused.

    Example:
        >>> [stem(word) for word in ("connection", "connected", "generously", "dying", "it's", "x")]
        ['connect', 'connect', 'generous', 'die', 'it', 'x']
    """
    if word in WHOLE:
        return WHOLE[word]
    if len(word) < 3:
        return word
    word = _mark_y(word.removeprefix("'"))
    r1, r2 = _regions(word)
    word = _plural(_apostrophe(word))
    word = _final_y(_past_and_ing(word, r1))
    word = _derived(word, r1)
    word = _adjective(word, r1, r2)
    word = _residue(word, r2)
    return _final_e(word, r1, r2).replace("Y", "y")


# the regions


def _mark_y(word: str) -> str:
    """Write Y for every y that begins the word or follows a vowel: in "sayyid" only the first, "y" being a vowel."""
    if "y" not in word:
        return word
    letters, before = [], "a"
    for letter in word:
        before = "Y" if letter == "y" and before in VOWELS else letter
        letters.append(before)
    return "".join(letters)


def _regions(word: str) -> tuple[int, int]:
    """Return where R1 and R2 begin."""
    r1 = next((len(start) for start in BEGINNINGS if word.startswith(start)), None)
    if r1 is None:
        r1 = _after_first_syllable(word, 0)
    return r1, _after_first_syllable(word, r1)


def _after_first_syllable(word: str, start: int) -> int:
    """Return the place after the first non-vowel that follows a vowel, or the word's end."""
    for place in range(start + 1, len(word)):
        if word[place] not in VOWELS and word[place - 1] in VOWELS:
            return place + 1
    return len(word)


def _ends_in_short_syllable(word: str) -> bool:
    """Say whether the word ends as "rap", "trap", "on" do: a vowel between two non-vowels, or at the beginning."""
    if word.endswith("past"):
        return True
    if len(word) == 2:
        return word[0] in VOWELS and word[1] not in VOWELS
    return (
        len(word) > 2
        and word[-3] not in VOWELS
        and word[-2] in VOWELS
        and word[-1] not in VOWELS
        and word[-1] not in "wxY"
    )


def _has_vowel(part: str) -> bool:
    return not VOWELS.isdisjoint(part)


# the steps, in their order


def _apostrophe(word: str) -> str:
    """Step 0: take off 's' and 's and a last apostrophe."""
    for suffix in ("'s'", "'s", "'"):
        if word.endswith(suffix):
            return word.removesuffix(suffix)
    return word


def _plural(word: str) -> str:
    """Step 1a: caresses -> caress, ties -> tie, cries -> cri, gaps -> gap; gas and kiss stay."""
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _past_and_ing(word: str, r1: int) -> str:
    """Step 1b: agreed -> agree, hopping -> hop, hoping -> hope, dying -> die; herring and proceed stay."""
    for suffix in ("eedly", "eed"):
        if word.endswith(suffix):
            rest = word.removesuffix(suffix)
            return rest + "ee" if len(rest) >= r1 and rest not in VERBS_IN_EED else word
    for suffix in ("ingly", "edly", "ing", "ed"):
        if word.endswith(suffix):
            break
    else:
        return word
    rest = word.removesuffix(suffix)
    if suffix == "ing":
        if len(rest) == 2 and rest[1] == "y" and rest[0] not in VOWELS:
            return rest[0] + "ie"
        if rest in NOUNS_IN_ING:
            return word
    if not _has_vowel(rest):
        return word
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if rest.endswith(DOUBLES):
        return rest if len(rest) == 3 and rest[0] in "aeo" else rest[:-1]
    return rest + "e" if r1 >= len(rest) and _ends_in_short_syllable(rest) else rest


def _final_y(word: str) -> str:
    """Step 1c: cry -> cri; by and say stay."""
    return word[:-1] + "i" if len(word) > 2 and word[-1] in "yY" and word[-2] not in VOWELS else word


def _longest(word: str, suffixes: dict[str, str], longest: int) -> str | None:
    """Return the longest of the suffixes that the word ends in."""
    return next((word[-n:] for n in range(min(longest, len(word)), 1, -1) if word[-n:] in suffixes), None)


def _derived(word: str, r1: int) -> str:
    """Step 2: relational -> relate, hopefulness -> hopeful, biologist -> biolog."""
    suffix = _longest(word, STEP_2, 7)
    if suffix is None or len(word) - len(suffix) < r1:
        return word
    rest = word.removesuffix(suffix)
    if suffix == "ogi" and not rest.endswith("l"):
        return word
    if suffix == "li" and (not rest or rest[-1] not in BEFORE_LI):
        return word
    return rest + STEP_2[suffix]


def _adjective(word: str, r1: int, r2: int) -> str:
    """Step 3: electrical -> electric, goodness -> good."""
    suffix = _longest(word, STEP_3, 7)
    if suffix is None or len(word) - len(suffix) < (r2 if suffix == "ative" else r1):
        return word
    return word.removesuffix(suffix) + STEP_3[suffix]


def _residue(word: str, r2: int) -> str:
    """Step 4: adjustment -> adjust, adoption -> adopt."""
    suffix = _longest(word, STEP_4, 5)
    if suffix is None or len(word) - len(suffix) < r2:
        return word
    rest = word.removesuffix(suffix)
    return word if suffix == "ion" and not rest.endswith(("s", "t")) else rest


def _final_e(word: str, r1: int, r2: int) -> str:
    """Step 5: rate stays, probate -> probat, controll -> control."""
    rest = word[:-1]
    if word.endswith("e") and (len(rest) >= r2 or (len(rest) >= r1 and not _ends_in_short_syllable(rest))):
        return rest
    return rest if word.endswith("ll") and len(rest) >= r2 else word
