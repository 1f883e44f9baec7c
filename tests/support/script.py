"""Dialogues as text: what a client says and what the server must answer.

A file ``tests/dialogue/<protocol>/<name>.txt`` has one thing a line:

====================  =================================================================================================
``# text``            a comment; blank lines count for nothing
``C: text``           the client sends this line, and CRLF
``C| text``           the client sends this, without CRLF
``C: <eof>``          the client half-closes: it will send no more
``S: text``           the server sends exactly this line, ended by CRLF
``S: /regex/``        the server sends a line that matches whole; named groups become placeholders
``S| text``           the server sends exactly these bytes (no line end is looked for)
``S: <closed>``       the server closes, and has sent nothing more
``S: <rest>``         the server sends the rest of a reply of SMTP, up to the line that has a space behind its code
``X:``                the client vanishes, without a word
``@settings k=v``     a setting, as text (before the first session)
``@user a@b secret``  an entry of ``users`` (before the first session)
``@seed a@b [folder] [\\Flag ...] [received_at=ISO]``  puts a message into a mailbox, at any time; its lines follow,
                      ``: text`` with CRLF and ``| text`` without
``@flags a@b folder uid +\\Flag``  ``+``, ``-`` or ``=``: another reader changes flags
``@expunge a@b folder uid ...``  another reader removes messages
``@protocol 2 imap``  session 2 talks another protocol than the folder's (before it opens)
``@advance seconds``  the server's clock goes forward
====================  =================================================================================================

``C2:``, ``S2:``, ``X2:`` are a second session, and so on; a session opens where its number first stands. Client lines
that follow each other go out in one piece (pipelining) when the next thing is something else. ``\\xHH`` is a byte.
``{name}`` stands for text without spaces, and is the same everywhere: the first server line that has it sets it.
``{base64:text}``, ``{repeat:text:times}`` and ``{apop:secret}`` (of ``{timestamp}`` and the secret) are computed.

At the end every session half-closes, and the server must then close without a further word.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

__all__ = ["Difference", "Names", "Script", "ScriptError", "Step", "parse_script"]

_STEP = re.compile(r"(?P<who>[CSX])(?P<session>\d*)(?P<how>[:|])(?: (?P<text>.*))?")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?::([^{}]*))?\}")
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


class Difference(Exception):
    """The server did something else."""


class ScriptError(Exception):
    """The script cannot be read."""


@dataclass
class Step:
    line: int
    source: str
    who: str
    """``C``, ``S``, ``X``, or ``@`` for a directive."""
    session: int = 1
    how: str = ":"
    text: str = ""
    body: list[tuple[str, str]] = field(default_factory=list)
    """Lines of a seeded message: how (``:`` or ``|``) and text."""


@dataclass
class Script:
    name: str
    protocol: str
    settings: dict[str, str]
    users: dict[str, str]
    steps: list[Step]
    protocols: dict[int, str] = field(default_factory=dict)
    """Of the sessions that talk another protocol than the script's."""

    def protocol_of(self, session: int) -> str:
        return self.protocols.get(session, self.protocol)


def parse_script(text: str, *, name: str, protocol: str) -> Script:
    script = Script(name, protocol, {}, {}, [])
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in ":|":
            if not script.steps or not script.steps[-1].text.startswith("seed"):
                raise ScriptError(f"{name}:{number}: {line!r} belongs to no @seed")
            if line[1:2] not in ("", " "):
                raise ScriptError(f"{name}:{number}: write a space after {line[0]!r}")
            script.steps[-1].body.append((line[0], line[2:]))
        elif line.startswith("@settings "):
            setting, _, value = line.removeprefix("@settings ").partition("=")
            script.settings[setting.strip()] = value.strip()
        elif line.startswith("@user "):
            address, password = line.split(" ", 2)[1:]
            script.users[address] = password
        elif line.startswith("@protocol "):
            session, protocol_name = line.split()[1:]
            script.protocols[int(session)] = protocol_name
        elif line.startswith(("@seed ", "@flags ", "@expunge ", "@advance ")):
            script.steps.append(Step(number, line, "@", text=line[1:]))
        else:
            match = _STEP.fullmatch(line)
            if match is None:
                raise ScriptError(f"{name}:{number}: {line!r} is no line of a dialogue")
            session = int(match["session"] or 1)
            script.steps.append(Step(number, line, match["who"], session, match["how"], match["text"] or ""))
    return script


class Names:
    """What placeholders stand for."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def fill(self, text: str) -> bytes:
        """Text of a script as bytes; every placeholder must be known."""
        return _bytes(_PLACEHOLDER.sub(self._value, text))

    def _value(self, match: re.Match[str]) -> str:
        name, argument = match[1], match[2]
        if argument is None:
            if name not in self.values:
                raise ScriptError(f"{{{name}}} is not known yet")
            return self.values[name]
        if name == "base64":
            return base64.b64encode(_bytes(argument)).decode("ascii")
        if name == "repeat":
            piece, _, times = argument.rpartition(":")
            return piece * int(times)
        if name == "apop":
            return hashlib.md5(self.values["timestamp"].encode() + _bytes(argument)).hexdigest()
        raise ScriptError(f"{{{name}:...}} is no function")

    def check(self, expected: str, actual: bytes) -> None:
        """``Difference`` unless the line is what the script expects; learns new names from it."""
        line = actual.decode("utf-8", "surrogateescape")
        if len(expected) > 1 and expected.startswith("/") and expected.endswith("/"):
            match = re.fullmatch(expected[1:-1], line)
            if match is None:
                raise Difference(f"expected a match of {expected}")
            self.values.update({name: value for name, value in match.groupdict().items() if value is not None})
            return
        pattern, at = "", 0
        for placeholder in _PLACEHOLDER.finditer(expected):
            pattern += re.escape(_text(expected[at : placeholder.start()]))
            name, argument = placeholder.groups()
            if argument is None and name not in self.values:
                pattern += f"(?P={name})" if f"(?P<{name}>" in pattern else rf"(?P<{name}>\S+?)"
            else:
                pattern += re.escape(_text(self._value(placeholder)))
            at = placeholder.end()
        pattern += re.escape(_text(expected[at:]))
        match = re.fullmatch(pattern, line, re.DOTALL)
        if match is None:
            raise Difference(f"expected {expected!r}")
        self.values.update(match.groupdict())


def _bytes(text: str) -> bytes:
    return _ESCAPE.sub(lambda match: binascii.unhexlify(match[1]), text.encode("utf-8"))


def _text(text: str) -> str:
    return _bytes(text).decode("utf-8", "surrogateescape")
