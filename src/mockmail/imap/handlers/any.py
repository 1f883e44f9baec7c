"""Commands of every state (RFC 3501 section 6.1), and those that only tell about the server."""

from __future__ import annotations

from mockmail.imap.commands import Command, Enable, Id
from mockmail.imap.encode import string
from mockmail.imap.extensions import EXTENSIONS
from mockmail.imap.replies import Completion, Output, Response, ok, untagged
from mockmail.imap.state import ConnectionState

__all__ = ["capability", "enable", "identify", "logout", "noop"]

_ENABLE_ABLE = frozenset(row.name for row in EXTENSIONS if row.enable_able)


def capability(state: ConnectionState, command: Command) -> Output:
    """CAPABILITY."""
    yield untagged(state.capabilities())
    return ok("CAPABILITY completed")


def noop(state: ConnectionState, command: Command) -> Response:
    """NOOP and CHECK: what changed is told at the end of every command, so of these too."""
    return ok(f"{command.name} completed")


def logout(state: ConnectionState, command: Command) -> Output:
    """LOGOUT."""
    state.unselect()
    yield b"* BYE Logging out\r\n"
    return Completion("OK", "LOGOUT completed", closes=True)


def identify(state: ConnectionState, command: Id) -> Output:
    """ID (RFC 2971). What the client says of itself is in the journal, with the command."""
    from importlib.metadata import version

    fields = (b"name", b"mockmail", b"version", version("mockmail").encode("ascii"))
    yield b"* ID (%b)\r\n" % b" ".join(map(string, fields))
    return ok("ID completed")


def enable(state: ConnectionState, command: Enable) -> Output:
    """ENABLE (RFC 5161): what cannot be enabled is passed over in silence."""
    names = [name for name in command.capabilities if name in _ENABLE_ABLE and state.offers(name)]
    state.enabled.update(names)
    yield untagged(" ".join(("ENABLED", *names)))
    return ok("ENABLE completed")
