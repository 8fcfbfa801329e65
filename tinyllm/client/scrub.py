"""Take keys out of a text before anybody reads it: the ones we know, and whatever looks like one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from .types import Secret

SHORTEST = 4  # a "key" shorter than this, as local servers take, would star out half of the text

# How keys look: the vendors' prefixes (kept, so that one sees whose it was), headers, and parameters of an address.
# A masked key, as some servers echo it ("sk-ab****yz"), goes with the rest.
_PREFIXED = re.compile(r"\b(sk-|gsk_|xai-|pplx-|AIza|hf_|tgp_|csk-)[\w*.\-]{8,}")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]+")
_NAMED = re.compile(
    r"(?i)((?:[?&](?:key|token)=)|(?:\b(?:x-api-key|x-goog-api-key|api[-_]?key|access[-_]token)[\"']?\s*[=:]\s*[\"']?))"
    r"[\w\-.~+/%=]{8,}"
)
_USER = re.compile(r"(https?://)[^/\s@]+@")


def scrub(text: str, secrets: Iterable[Secret | None] = ()) -> str:
    """Return a text without keys.

    Args:
        text: what a provider said, or what is about to be logged.
        secrets: the keys that were in use; all their spellings (in JSON, in an address) are taken out.

    Example:
        >>> scrub("no such key: hunter22, sk-abcdefgh1234", [Secret("hunter22")])
        'no such key: ***, sk-***'
    """
    known = {secret.reveal() for secret in secrets if secret}
    spelled = {form for key in known if len(key) >= SHORTEST for form in (key, json.dumps(key)[1:-1], quote(key, ""))}
    for form in sorted(spelled, key=len, reverse=True):
        text = text.replace(form, "***")
    text = _USER.sub(r"\1***@", text)
    text = _BEARER.sub(r"\1***", text)
    text = _NAMED.sub(r"\1***", text)
    return _PREFIXED.sub(r"\1***", text)
