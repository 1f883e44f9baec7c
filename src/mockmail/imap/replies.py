"""What a command ends with, and the lines made of it (RFC 3501 section 7.1)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal, TypeAlias

from mockmail.records import record

__all__ = ["Completion", "Condition", "LineMode", "Output", "Refused", "Response", "bad", "no", "ok", "untagged"]

Condition: TypeAlias = Literal["OK", "NO", "BAD"]

Output: TypeAlias = Generator[bytes | None, None, "Completion"]
"""Whole lines of a response, a chunk at a time; ``None`` where the work may be interrupted."""

Response: TypeAlias = "Completion | Output"


@record
class Completion:
    """The status response that ends a command."""

    condition: Condition
    text: str
    code: str | None = None
    """A response code, without brackets."""
    closes: bool = False
    """Whether the connection ends after it."""
    starts_tls: bool = False
    """Whether the handshake comes next."""
    farewell: str | None = None
    """Text of a BYE that follows it."""

    @property
    def line(self) -> str:
        """It without tag and line end: ``NO [TRYCREATE] ...``."""
        code = f"[{self.code}] " if self.code else ""
        return f"{self.condition} {code}{self.text}"


@record
class LineMode:
    """A command that goes on by lines of the client which are no commands: AUTHENTICATE and IDLE."""

    prompt: bytes
    """What invites the first line: a command continuation request."""
    take: Callable[[bytes], bytes | Completion]
    """Take a line, without its end: give the next request, or the end of the command."""
    secret: bool = False
    """Whether the lines are to be hidden from transcripts."""
    pushes: bool = False
    """Whether changes of the mailbox are reported while it lasts."""


class Refused(Exception):
    """A command is not carried out."""

    def __init__(self, completion: Completion) -> None:
        super().__init__(completion.text)
        self.completion = completion


def ok(text: str, code: str | None = None) -> Completion:
    """The command is done."""
    return Completion("OK", text, code)


def no(text: str, code: str | None = None) -> Completion:
    """The command cannot be done."""
    return Completion("NO", text, code)


def bad(text: str, code: str | None = None) -> Completion:
    """The command makes no sense."""
    return Completion("BAD", text, code)


def untagged(text: str) -> bytes:
    """An untagged line; what US-ASCII lacks is written as an escape."""
    return b"* %b\r\n" % text.encode("ascii", "backslashreplace")
