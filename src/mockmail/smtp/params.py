"""Arguments of MAIL, RCPT and VRFY (RFC 5321 section 4.1.2, with RFC 6531 section 3.3 for what is not ASCII)."""

from __future__ import annotations

import re
from functools import lru_cache

from mockmail.records import record

__all__ = [
    "AddressError",
    "ArgumentError",
    "Parameters",
    "PathArgument",
    "decode_xtext",
    "encode_xtext",
    "parse_mailbox",
    "parse_path",
    "plain_address",
]

Parameters = dict[str, str | None]
"""ESMTP parameters, names and values as sent; a name without a value has ``None``."""

# Path        = "<" [ A-d-l ":" ] Mailbox ">"       A-d-l  = At-domain *( "," At-domain )
# Mailbox     = Local-part "@" ( Domain / address-literal )
# Local-part  = Dot-string / Quoted-string          Dot-string = Atom *("." Atom)
# Domain      = sub-domain *("." sub-domain)        sub-domain = Let-dig [Ldh-str]
# esmtp-param = esmtp-keyword ["=" esmtp-value]     esmtp-value = 1*(%d33-60 / %d62-126)
# Classes are written by the ASCII characters that they leave out: a range up to U+10FFFF takes 20 ms to compile.
_ATEXT = r'[^\x00- "(),.:;<>@\[\\\]\x7f]'
# An underscore is no Let-dig, but host names of containers have it, and no server in use refuses it.
_LET_DIG = r"[^\x00-/:-@\[-^`{-\x7f]"
_LDH = r"[^\x00-,./:-@\[-^`{-\x7f]"
_LABEL = rf"{_LET_DIG}(?:{_LDH}*{_LET_DIG})?"
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_QUOTED = r'"(?:[^\x00-\x1f"\\\x7f]|\\[ -~])*"'
_LITERAL = r"\[[!-Z^-~]+\]"
_ROUTE = rf"@{_DOMAIN}(?:,@{_DOMAIN})*:"

_PLAIN_PATH = re.compile(rf" ?<({_DOT_STRING}@{_DOMAIN})>(?: +(.*?))? *")
_ANY_PATH = re.compile(
    rf" ?<(?:{_ROUTE})?(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})>(?: +(?P<rest>.*?))? *"
)
_BRACKETS = re.compile(r' ?<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?: +(.*?))? *')
_MAILBOX = re.compile(rf"(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})")
_ONLY_DOT_STRING = re.compile(_DOT_STRING)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00- =\x7f]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")

_PATH_LIMIT = 256
_LOCAL_PART_LIMIT = 64
_DOMAIN_LIMIT = 255


class ArgumentError(ValueError):
    """The argument has no such form: 501."""


class AddressError(ValueError):
    """The form is right, the address between the brackets is none: 553."""


@record
class PathArgument:
    """``<path> parameters``: the address without source route, in its least quoted form; ``""`` for ``<>``."""

    address: str
    parameters: Parameters


def parse_path(argument: str | None, keyword: str) -> PathArgument:
    """Read ``FROM:<path> [parameters]`` (``keyword`` is ``"FROM:"`` or ``"TO:"``).

    A space behind the colon is taken, as many old clients send one. A lone ``<Postmaster>`` is taken for ``TO:``
    (RFC 5321 section 4.5.1), ``<>`` for ``FROM:``. Raises ``ArgumentError`` and ``AddressError``.
    """
    length = len(keyword)
    if argument is None or argument[:length].upper() != keyword:
        raise ArgumentError(f"write {keyword}<address>")
    plain = _PLAIN_PATH.fullmatch(argument, length)
    if plain is not None:
        address, rest = plain.groups()
        if len(address) <= _LOCAL_PART_LIMIT:
            return PathArgument(address, _parameters(rest) if rest else {})
    match = _ANY_PATH.fullmatch(argument, length)
    if match is not None:
        return PathArgument(_mailbox(match["local"], match["domain"]), _parameters(match["rest"]))
    brackets = _BRACKETS.fullmatch(argument, length)
    if brackets is None:
        raise ArgumentError(f"write {keyword}<address>, in angle brackets")
    inside, rest = brackets.groups()
    if (inside == "" and keyword == "FROM:") or (inside.lower() == "postmaster" and keyword == "TO:"):
        return PathArgument(inside, _parameters(rest))
    raise AddressError(f"<{inside}> is no address")


@lru_cache(maxsize=1024)
def plain_address(argument: str | None, keyword: str) -> str | None:
    """What :func:`parse_path` finds, if that is an address and nothing else; ``None``: ask it. Clients say the same few
    addresses again and again."""
    try:
        path = parse_path(argument, keyword)
    except (ArgumentError, AddressError):
        return None
    return None if path.parameters else path.address


def parse_mailbox(text: str) -> str:
    """Read a mailbox without brackets. Raises ``AddressError``."""
    match = _MAILBOX.fullmatch(text)
    if match is None:
        raise AddressError(f"{text} is no address")
    return _mailbox(match["local"], match["domain"])


def decode_xtext(text: str) -> str:
    """RFC 3461 section 4: ``+3D`` is ``=``. Raises ``ArgumentError``."""
    if not _XTEXT.fullmatch(text):
        raise ArgumentError(f"{text} is no xtext")
    return re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)


def encode_xtext(text: str) -> str:
    """RFC 3461 section 4: ``=`` is ``+3D``. ASCII only."""
    return re.sub(r"[^!-*,-<>-~]", lambda match: f"+{ord(match[0]):02X}", text)


def _mailbox(local: str, domain: str) -> str:
    if len(local.encode()) > _LOCAL_PART_LIMIT:
        raise AddressError(f"the local part is longer than {_LOCAL_PART_LIMIT} bytes")
    if len(domain.encode()) > _DOMAIN_LIMIT or len(local) + len(domain) + 3 > _PATH_LIMIT:
        raise AddressError(f"the address is longer than {_PATH_LIMIT} bytes")
    if domain[0] == "[" and not _is_address_literal(domain[1:-1]):
        raise AddressError(f"{domain} is no address literal")
    return f"{_least_quoted(local)}@{domain}"


def _least_quoted(local: str) -> str:
    """All quoted forms are equivalent (RFC 5321 section 4.1.2): one form, so that they compare as equal."""
    if local[0] != '"':
        return local
    content = re.sub(r"\\(.)", r"\1", local[1:-1])
    if _ONLY_DOT_STRING.fullmatch(content):
        return content
    return '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'


def _is_address_literal(text: str) -> bool:
    """RFC 5321 section 4.1.3."""
    import ipaddress

    tag, colon, content = text.partition(":")
    try:
        if not colon:
            ipaddress.IPv4Address(text)
        elif tag.lower() == "ipv6":
            ipaddress.IPv6Address(content)
        else:
            return bool(content) and re.fullmatch(r"[A-Za-z0-9-]*[A-Za-z0-9]", tag) is not None
    except ValueError:
        return False
    return "%" not in content


def _parameters(text: str | None) -> Parameters:
    parameters: Parameters = {}
    if not text:
        return parameters
    seen: set[str] = set()
    for word in text.split(" "):
        if not word:
            continue
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise ArgumentError(f"{word} is no parameter")
        name = match[1].upper()
        if name in seen:
            raise ArgumentError(f"the parameter {name} is given twice")
        seen.add(name)
        parameters[match[1]] = match[2]
    return parameters
