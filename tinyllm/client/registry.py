"""Who can be called, and who is meant by ``auto``: the dated rows of ``data/providers.json`` met with an environment.

The order of ``auto`` is: the provider that was named, else TINYLLM_PROVIDER, else the first row of the file whose key
is set, else the local GPT. A network service without a key is never chosen by itself.
"""

from __future__ import annotations

import fnmatch
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError, nearest
from .errors import AuthError
from .tables import table
from .types import Secret, Spec

CHOSEN_BY = "TINYLLM_PROVIDER"
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Row:
    """A provider as the file tells it.

    Args:
        name, wire, base_url, auth, api_version: as in a ``Spec``.
        env_key: variables that may hold the key, the first that is set counts.
        env_base: variables that may hold another address.
        auto: variables that let ``auto`` choose this row.
        versions: of the wire, with what each changes; empty where any may be asked for.
        version_names: other names of versions.
        env_version: a variable that may hold the version.
        env_headers: a header and the variable that holds it.
        key_auth: how the key of some variable goes along, if not as usual.
        capabilities: by pattern of the model's name; later patterns add to earlier ones.
        key_optional: whether it answers without a key.
        here: whether it runs on this machine unless its address says otherwise.
        port: that an address without one gets.
        checked_on: when somebody looked; None: nobody has.
        source: where.
    """

    name: str
    wire: str
    base_url: str
    auth: str
    source: str
    checked_on: str | None
    env_key: tuple[str, ...] = ()
    env_base: tuple[str, ...] = ()
    auto: tuple[str, ...] = ()
    api_version: str | None = None
    versions: Mapping[str, Any] = field(default_factory=dict, hash=False)
    version_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    env_version: str | None = None
    env_headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    key_auth: Mapping[str, str] = field(default_factory=dict, hash=False)
    capabilities: Mapping[str, Any] = field(default_factory=dict, hash=False)
    key_optional: bool = False
    here: bool = False
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which provider, why, and why none of those before it."""

    name: str
    why: str
    passed: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.why}", *(f"  not {name}: {why}" for name, why in self.passed)])


@functools.cache
def providers() -> tuple[Row, ...]:
    """Return all rows, in the order of ``auto``.

    Example:
        >>> providers()[0].name, providers()[-1].name
        ('anthropic', 'local')
    """
    listed = {"env_key", "env_base", "auto"}
    found = []
    for told in table("providers")["providers"]:
        row: dict[str, Any] = {key: tuple(value) if key in listed else value for key, value in told.items()}
        found.append(Row(**row))
    return tuple(found)


def find(name: str, asked_by: str = "provider") -> Row:
    """Return the row of a provider.

    Raises:
        ConfigError: there is none; the nearest name is offered.

    Example:
        >>> find("gemini").auth
        'x-goog-api-key'
    """
    names = [row.name for row in providers()]
    for row in providers():
        if row.name == name:
            return row
    close = nearest(name.lower(), names)
    hint = f'"{close}"' if close else f"one of {', '.join(names)}"
    raise ConfigError(f'{asked_by}: there is no provider "{name[:40]}"', hint=hint)


def _value(environ: Mapping[str, str], name: str | None) -> str:
    return environ.get(name, "").strip() if name else ""


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if _value(environ, name)), None)


def explain(provider: str = "auto", environ: Mapping[str, str] | None = None) -> Choice:
    """Say which provider is meant, and why.

    Args:
        provider: a name, or "auto".
        environ: the environment; None: the process's.

    Raises:
        ConfigError: a name that nobody has, here or in TINYLLM_PROVIDER.

    Example:
        >>> print(explain(environ={"GROQ_API_KEY": "gsk_1"}))
        groq: GROQ_API_KEY is set
          not anthropic: neither ANTHROPIC_API_KEY nor ANTHROPIC_AUTH_TOKEN is set
          not openai: OPENAI_API_KEY is not set
          not gemini: neither GOOGLE_API_KEY nor GEMINI_API_KEY is set
          not mistral: MISTRAL_API_KEY is not set
    """
    environ = os.environ if environ is None else environ
    if provider != "auto":
        return Choice(find(provider).name, "it was asked for")
    told = _value(environ, CHOSEN_BY)
    if told and told != "auto":
        return Choice(find(told, CHOSEN_BY).name, f"{CHOSEN_BY} says so")
    passed: list[tuple[str, str]] = []
    for row in providers():
        set_by = _first(environ, row.auto)
        if set_by:
            return Choice(row.name, f"{set_by} is set", tuple(passed))
        if row.auto:
            names = " nor ".join(row.auto)
            passed.append((row.name, f"neither {names} is set" if len(row.auto) > 1 else f"{names} is not set"))
    return Choice(LOCAL, "no key is set, and the local GPT needs none", tuple(passed))


def resolve(
    provider: str = "auto",
    model: str = "",
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    api_version: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Spec:
    """Return where a call goes: the row, what the environment adds, and what was asked for, the last counting most.

    Args:
        provider: a name, or "auto".
        model: on which the capabilities depend.
        base_url, api_key, api_version: instead of the row's and the environment's.
        environ: the environment; None: the process's.

    Raises:
        ConfigError: an unknown provider or version, or an address that is none.
        AuthError: no key where one is needed, or one that no header can carry.

    Example:
        >>> spec = resolve("anthropic", environ={"ANTHROPIC_API_KEY": "k-1"})
        >>> spec.auth, spec.key, spec.capabilities["temperature"]
        ('bearer', Secret(***), False)
    """
    environ = os.environ if environ is None else environ
    row = find(explain(provider, environ).name)
    version, changes = _version(row, api_version or _value(environ, row.env_version))
    set_by = None if api_key else _first(environ, row.env_key)
    key = _key(row, api_key or _value(environ, set_by), set_by)
    base = _first(environ, row.env_base)
    address = base_url or _value(environ, base) or row.base_url
    capabilities: dict[str, Any] = {}
    for pattern, words in row.capabilities.items():
        if fnmatch.fnmatchcase(model.lower(), pattern):
            capabilities |= words
    capabilities |= changes.get("capabilities", {})
    auth = row.key_auth.get(set_by or "") or changes.get("auth") or row.auth
    return Spec(
        name=row.name,
        wire=row.wire,
        base_url=address_of(address, row.port, "base_url" if base_url else base or "base_url") if address else "",
        auth=auth if key else "none",
        key=key,
        api_version=version,
        capabilities=capabilities,
        headers={name: _value(environ, var) for name, var in row.env_headers.items() if _value(environ, var)},
    )


def _version(row: Row, asked: str) -> tuple[str | None, Mapping[str, Any]]:
    version = row.version_names.get(asked, asked) or row.api_version
    if row.versions and version not in row.versions:
        raise ConfigError(
            f'{row.name}: there is no API version "{str(version)[:40]}" here',
            hint=f"one of {', '.join(row.versions)}",
        )
    return version, row.versions.get(version or "", {})


def _key(row: Row, text: str, set_by: str | None) -> Secret | None:
    text = text.strip()
    if not text:
        if row.key_optional:
            return None
        hint = f"set {row.env_key[0]}, or pass api_key=" if row.env_key else "pass api_key="
        raise AuthError(f"{row.name}: no key", hint, provider=row.name)
    if not (text.isascii() and text.isprintable() and " " not in text):
        where = set_by or "api_key"
        raise AuthError(
            f"{row.name}: the key in {where} holds a space, a line break or a letter that no header can carry",
            "copy it again",
            provider=row.name,
        )
    return Secret(text)


def address_of(text: str, port: int | None = None, asked_by: str = "base_url") -> str:
    """Return an address in one spelling: with a scheme, without a slash at its end.

    Args:
        text: the address; where ``port`` is given, a host alone will do, as in OLLAMA_HOST.
        port: for an address that has neither scheme nor port.
        asked_by: for the error.

    Raises:
        ConfigError: it has no host or no such port, another scheme, a password, a query, or what no address holds.

    Example:
        >>> address_of("0.0.0.0", 11434), address_of("https://host/v1/")
        ('http://127.0.0.1:11434', 'https://host/v1')
    """
    text = text.strip()
    bare = "://" not in text
    full = f"http://{text}" if bare and port else text
    try:
        parts = urlsplit(full)
        host, own = parts.hostname, parts.port
    except ValueError:
        host = own = None
        parts = urlsplit("")
    # what is wrong is said without the text: it may hold a password
    if parts.scheme not in ("http", "https") or not (host or (bare and port)) or not full.isascii():
        raise ConfigError(f"{asked_by} is not an address", hint="http://host:port/path or https://host/path")
    if any(letter <= " " for letter in full) or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"{asked_by} holds a space, a password, or something after a ? or #", hint="give the key by api_key="
        )
    host = "127.0.0.1" if host in (None, "0.0.0.0") else f"[{host}]" if ":" in host else host
    own = own or (port if bare else None)
    return f"{parts.scheme}://{host}{f':{own}' if own else ''}{parts.path.rstrip('/')}"


def is_here(address: str) -> bool:
    """Say whether an address is this machine's.

    Example:
        >>> is_here("http://localhost:1234/v1"), is_here("https://api.openai.com/v1"), is_here("")
        (True, False, True)
    """
    host = urlsplit(address).hostname or "localhost"
    return host in ("localhost", "::1") or host.startswith("127.")


def report(environ: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the state of every provider, for `tinyllm doctor`: which variables count, never what a key is.

    Example:
        >>> openai = next(row for row in report({"OPENAI_API_KEY": "sk-1"}) if row["name"] == "openai")
        >>> openai["key"], openai["ready"], openai["chosen"]
        ('OPENAI_API_KEY', True, True)
    """
    environ = os.environ if environ is None else environ
    problem_of_choice, chosen = "", ""
    try:
        chosen = explain("auto", environ).name
    except ConfigError as error:
        problem_of_choice = error.message
    found: list[dict[str, Any]] = []
    for row in providers():
        try:
            spec, problem = resolve(row.name, environ=environ), problem_of_choice
        except (ConfigError, AuthError) as error:
            spec, problem = None, error.message
        clear = spec is not None and spec.key is not None and spec.base_url.startswith("http:")
        if clear and spec is not None and not is_here(spec.base_url):
            problem = problem or "the key travels in clear text: the address is not https"
        found.append(
            {
                "name": row.name,
                "wire": row.wire,
                "key": _first(environ, row.env_key),
                "base_url": spec.base_url if spec else None,
                "base_from": _first(environ, row.env_base),
                "api_version": spec.api_version if spec else None,
                "ready": spec is not None,
                "chosen": row.name == chosen,
                "problem": problem,
                "checked_on": row.checked_on,
            }
        )
    return found
