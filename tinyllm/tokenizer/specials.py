"""Special tokens: strings such as <|endoftext|> that stand for one token, and are found before anything is cut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from ..errors import ConfigError, SpecialTokenError
from .surrogates import without_surrogates

Names = Literal["all"] | Collection[str]


class Specials:
    """The special tokens of a vocabulary.

    Args:
        ids: string -> id.

    Raises:
        ConfigError: one of the strings is empty, or no string at all.

    Example:
        >>> specials = Specials({"<|end|>": 7, "<|end|>!": 8})
        >>> list(specials.occurrences("a<|end|>!", {"<|end|>", "<|end|>!"}))
        [(1, '<|end|>!')]
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        for name in ids:
            if not isinstance(name, str) or not name or without_surrogates(name) != name:
                raise ConfigError(f"{name!r} cannot be a special token", hint="a string that is not empty")
        self.ids = dict(ids)
        self.names = frozenset(ids)
        self._lengths = sorted({len(name) for name in ids}, reverse=True)
        letters = [set(column) for column in zip(*ids, strict=False)]
        shared = next((i for i, column in enumerate(letters) if len(column) > 1), len(letters))
        first = next(iter(ids), "")
        self._heads = (first[:shared],) if shared else tuple({name[0] for name in ids})
        self._simple = all(max(name) <= "\uffff" for name in ids)  # no surrogates can spell a part of them

    def choose(self, allowed: Names, disallowed: Names) -> tuple[frozenset[str], frozenset[str]]:
        """Return which special tokens are meant as such, and which strings are an error.

        Args:
            allowed: special tokens, or "all".
            disallowed: any strings, or "all" for all special tokens but the allowed ones.

        Raises:
            ConfigError: one of the two is neither "all" nor a set of strings.
        """
        for given in (allowed, disallowed):
            if given != "all" and (isinstance(given, str) or not isinstance(given or (), Iterable)):
                raise ConfigError(
                    f"special tokens: {given!r} is no set of strings", hint=f"{{{str(given)!r}}}, or 'all'"
                )
        chosen = self.names if allowed == "all" else self.names.intersection(allowed or ())
        return chosen, self.names - chosen if disallowed == "all" else frozenset(disallowed or ())

    def may_occur(self, text: str) -> bool:
        """Tell quickly whether the beginning of any special token is in the text."""
        return any(head in text for head in self._heads) or not (self._simple or text.isascii())

    def occurrences(self, text: str, names: Collection[str]) -> Iterator[tuple[int, str]]:
        """Yield (place, name) of those special tokens, from left to right; of overlapping ones the longest.

        Args:
            text: where to look.
            names: of the special tokens to look for; other strings are no special tokens and are never found.
        """
        names = self.names.intersection(names)
        if not names:
            return
        following = {head: text.find(head) for head in self._heads}  # the next place of each beginning
        following = {head: place for head, place in following.items() if place >= 0}
        while following:
            place = min(following.values())
            found = next((text[place : place + n] for n in self._lengths if text[place : place + n] in names), None)
            if found:
                yield place, found
            after = place + (len(found) if found else 1)
            for head, at in list(following.items()):
                if at < after and (at := text.find(head, after)) < 0:
                    del following[head]
                else:
                    following[head] = at

    def refuse(self, text: str, names: frozenset[str], begin: int = 0, end: int | None = None) -> None:
        """Refuse a text that holds one of these strings.

        Args:
            text: where to look.
            names: what must not be there, special tokens or not.
            begin: how many characters came before the text.
            end: where to stop looking for the beginning of one.

        Raises:
            SpecialTokenError: the first of them, with its place.
        """
        finder = self if names <= self.names else Specials(dict.fromkeys(names, -1))
        for place, name in finder.occurrences(text, names):
            if end is not None and place >= end:
                return
            what, meant = f"the disallowed {name!r}", ""
            if name in self.names:
                what, meant = f"the special token {name!r}", f"allowed_special={{{name!r}}} if it is meant as that, "
            raise SpecialTokenError(
                f"encode: the text holds {what} at character {begin + place:,}",
                hint=f"{meant}disallowed_special=() if it is plain text",
            )

    def open_end(self, text: str, names: Collection[str]) -> int:
        """Return where a suffix of the text begins that may go on to become one of these strings.

        Returns:
            The length of the text where there is no such suffix.

        Example:
            >>> Specials({"<|end|>": 7}).open_end("the<|en", {"<|end|>"})
            3
        """
        firsts, longest = {name[0] for name in names}, max(map(len, names), default=0)
        for place in range(max(len(text) - longest + 1, 0), len(text)):
            suffix = text[place:]
            if suffix[0] in firsts and any(name.startswith(suffix) and name != suffix for name in names):
                return place
        return len(text)
