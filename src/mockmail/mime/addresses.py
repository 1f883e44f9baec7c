"""Address lists (RFC 5322 section 3.4 and its obsolete forms in 4.4), read from raw bytes.

Plain lists are taken by one regular expression; the rest goes through a tokenizer that makes the best of anything.
Linear time, no recursion, and no bytes make it raise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mockmail.mime.charsets import guess
from mockmail.mime.headers import decode

__all__ = ["Address", "Mailbox", "addresses", "mailboxes"]


class Mailbox(NamedTuple):
    """One entry of an address list in raw bytes, quoting removed. A group is enclosed by two entries without a
    domain: the first has its name as ``local``, the last has no ``local`` either."""

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None


_GROUP_END = Mailbox(None, None, None, None)


@dataclass(frozen=True, slots=True)
class Address:
    """A decoded address: display name (``""`` when absent) and ``local@domain``."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


# mailbox         = name-addr / addr-spec
# name-addr       = [display-name] "<" addr-spec ">"            ; here: atoms or one quoted string without escapes
_ATEXT = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_plain = re.compile(
    rb'[ \t]*(?:"([^"\\\r\n]*)"[ \t]*<|([' + _ATEXT + rb"][" + _ATEXT + rb". \t]*)<|<)"
    rb"([" + _ATEXT + rb".]+)@([" + _ATEXT + rb".]+)>[ \t]*(?:,|\Z)"
    rb"|[ \t]*([" + _ATEXT + rb".]+)@([" + _ATEXT + rb".]+)[ \t]*(?:,|\Z)"
).match

# token           = quoted-string / domain-literal / atom / special, with the white space before it
_tokens = re.compile(
    rb'([ \t\r\n]*)(?:"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)|(\[[^\]\\]*(?:\\.[^\]\\]*)*(?:\]|\\?\Z))'
    rb'|([^ \t\r\n()<>\[\]:;@\\,."]+)|([^ \t\r\n]))',
    re.DOTALL,
).match
_comment_marks = re.compile(rb"\\.|[()]", re.DOTALL)
_escapes = re.compile(rb"\\(.)", re.DOTALL)
_is_dot_atom = re.compile(r"[^\s()<>\[\]:;@\\,\".]+(?:\.[^\s()<>\[\]:;@\\,\".]+)*").fullmatch


def mailboxes(value: bytes) -> list[Mailbox]:
    """The entries of an unfolded address list, groups marked as :class:`Mailbox` says."""
    found = []
    at, size = 0, len(value)
    while at < size:
        match = _plain(value, at)
        if match is None:
            return _Reader(value).read()
        quoted, words, local, domain, bare_local, bare_domain = match.groups()
        if bare_local is not None:
            found.append(Mailbox(None, None, bare_local, bare_domain))
        else:
            name = quoted if words is None else b" ".join(words.split())
            found.append(Mailbox(name or None, None, local, domain))
        at = match.end()
    return found


def addresses(value: bytes) -> tuple[Address, ...]:
    """The decoded addresses of an unfolded list, members of groups among the rest."""
    return tuple(
        Address(decode(box.name) if box.name else "", _address(box.local or b"", box.domain))
        for box in mailboxes(value)
        if box.domain is not None
    )


def _address(local: bytes, domain: bytes) -> str:
    text = guess(local)
    if not _is_dot_atom(text):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if text else ""
    return f"{text}@{guess(domain)}" if domain else text


@dataclass(slots=True)
class _Reader:
    """Reads one list, entry by entry."""

    value: bytes
    found: list[Mailbox] = field(default_factory=list)
    words: list[tuple[bool, bytes]] = field(default_factory=list)
    """Tokens of the entry so far, outside angle brackets: white space before it, and its text."""
    angle: list[bytes] | None = None
    """Tokens inside angle brackets, while reading them and after."""
    in_angle: bool = False
    in_group: bool = False
    comment: bytes = b""

    def read(self) -> list[Mailbox]:
        value = self.value
        at, size = 0, len(value)
        while at < size:
            match = _tokens(value, at)
            if match is None:
                break  # only white space is left
            space, quoted, domain_literal, atom, special = match.groups()
            at = match.end()
            if quoted is not None:
                self._take(bool(space), _escapes.sub(rb"\1", quoted))
            elif special == b"(":
                at = self._take_comment(at)
            elif special is not None and special in b"<>,:;":
                self._punctuate(special)
            else:
                self._take(bool(space), domain_literal or atom or special)
        self._finish()
        if self.in_group:
            self.found.append(_GROUP_END)
        return self.found

    def _take(self, spaced: bool, text: bytes) -> None:
        if self.in_angle and self.angle is not None:
            self.angle.append(text)
        elif self.angle is None:
            self.words.append((spaced, text))

    def _take_comment(self, at: int) -> int:
        depth, start = 1, at
        for mark in _comment_marks.finditer(self.value, at):
            if mark[0] == b"(":
                depth += 1
            elif mark[0] == b")":
                depth -= 1
                if not depth:
                    self.comment = _escapes.sub(rb"\1", self.value[start : mark.start()])
                    return mark.end()
        return len(self.value)

    def _punctuate(self, special: bytes) -> None:
        if self.in_angle and self.angle is not None:
            if special == b">":
                self.in_angle = False
            elif special == b":":
                self.angle.append(special)
            elif special == b"," and not any(b"@" not in token and token != b"," for token in self.angle[:1]):
                self.angle.append(special)  # a source route: <@a,@b:c@d>
            else:
                self._finish()
        elif special == b"<":
            if self.angle is None:
                self.angle, self.in_angle = [], True
        elif special == b",":
            self._finish()
        elif special == b":" and not self.in_group and self.angle is None:
            self.found.append(Mailbox(None, None, self._phrase(), None))
            self.words.clear()
            self.in_group = True
        elif special == b";":
            self._finish()
            if self.in_group:
                self.found.append(_GROUP_END)
                self.in_group = False

    def _phrase(self) -> bytes:
        return b"".join(b" " + text if spaced else text for spaced, text in self.words).strip()

    def _finish(self) -> None:
        """The entry is over: keep it if there is anything in it."""
        if self.angle is not None:
            name = self._phrase() or self.comment
            tokens, route = self.angle, None
            if b":" in tokens:
                last = len(tokens) - 1 - tokens[::-1].index(b":")
                route = b"".join(tokens[:last]) or None
                tokens = tokens[last + 1 :]
        else:
            name, route = self.comment, None
            tokens = [text for _, text in self.words]
        if b"@" in tokens:
            at = tokens.index(b"@")
            local, domain = b"".join(tokens[:at]), b"".join(tokens[at + 1 :])
        else:
            local, domain = (b"" if self.angle is not None else b" ").join(tokens), b""
        if local or domain or (name and self.angle is not None):
            self.found.append(Mailbox(name or None, route, local, domain))
        self.words = []
        self.angle = None
        self.in_angle = False
        self.comment = b""
