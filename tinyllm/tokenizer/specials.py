"""Special tokens: strings such as <|endoftext|> that stand for one token, and are found before anything is cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping


class Specials:
    """The special tokens of a vocabulary.

    Args:
        ids: string -> id; no string is empty.

    Example:
        >>> specials = Specials({"<|end|>": 7, "<|end|>!": 8})
        >>> list(specials.occurrences("a<|end|>!", {"<|end|>", "<|end|>!"}))
        [(1, '<|end|>!')]
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self.ids = dict(ids)
        self.names = frozenset(ids)
        self._lengths = sorted({len(name) for name in ids}, reverse=True)
        letters = [set(column) for column in zip(*ids, strict=False)]
        shared = next((i for i, column in enumerate(letters) if len(column) > 1), len(letters))
        first = next(iter(ids), "")
        self._heads = (first[:shared],) if shared else tuple({name[0] for name in ids})

    def may_occur(self, text: str) -> bool:
        """Tell quickly whether the beginning of any special token is in the text."""
        return any(head in text for head in self._heads)

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
                elif at >= after:
                    following[head] = at

    def open_end(self, text: str, names: Collection[str]) -> int:
        """Return where a suffix of the text begins that may be the beginning of one of these; its length for none.

        Example:
            >>> Specials({"<|end|>": 7}).open_end("the<|en", {"<|end|>"})
            3
        """
        names = self.names.intersection(names)
        if not names:
            return len(text)
        for place in range(max(len(text) - max(map(len, names)) + 1, 0), len(text)):
            if any(name.startswith(text[place:]) for name in names):
                return place
        return len(text)
