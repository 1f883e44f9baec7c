"""The service extensions of SMTP: from these rows come the EHLO reply, what is understood, and the limits of lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mockmail.extensions import Extension, enabled_names

__all__ = ["COMMANDS", "EXTENSIONS", "Capabilities"]

COMMANDS = frozenset({"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "EXPN", "QUIT"})
"""Understood without any extension (RFC 5321 section 4.5.1)."""

EXTENSIONS = (
    Extension("PIPELINING", "RFC 2920"),
    Extension("SIZE", "RFC 1870", parameters=frozenset({"SIZE"})),
    Extension("8BITMIME", "RFC 6152", parameters=frozenset({"BODY"})),
    Extension("SMTPUTF8", "RFC 6531", parameters=frozenset({"SMTPUTF8"})),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034"),
    Extension("AUTH", "RFC 4954", commands=frozenset({"AUTH"}), parameters=frozenset({"AUTH"})),
    Extension("HELP", "RFC 5321", commands=frozenset({"HELP"})),
)
"""In the order in which they are advertised."""

COMMAND_LINE_LIMIT_BYTES = 512
"""With CRLF (RFC 5321 section 4.5.3.1.4)."""

_ADDED_BYTES = {
    # What an extension adds to the longest line of a command, by the RFC of its row. (8BITMIME: RFC 6152 section 2;
    # SMTPUTF8: RFC 6531 section 3.1; AUTH: RFC 4954 sections 3 and 4.)
    "SIZE": {"MAIL": 26},
    "8BITMIME": {"MAIL": 17},
    "SMTPUTF8": {"MAIL": 10, "VRFY": 10, "EXPN": 10},
    "AUTH": {"MAIL": 500, "AUTH": 12288 - COMMAND_LINE_LIMIT_BYTES},
}


class Capabilities:
    """What one server offers: all rows, or those named in ``only``, less ``hide``; ``advertise`` has words that are
    shown and mean nothing. Raises ``ConfigurationError`` for a name that no row has."""

    __slots__ = ("_advertise", "commands", "line_limits_bytes", "names", "parameters")

    def __init__(
        self, *, only: Collection[str] | None = None, hide: Collection[str] = (), advertise: Iterable[str] = ()
    ) -> None:
        self.names = enabled_names(EXTENSIONS, only=only, hide=hide, protocol="smtp")
        rows = [row for row in EXTENSIONS if row.name in self.names]
        self.commands = COMMANDS.union(*(row.commands for row in rows))
        self.parameters = frozenset().union(*(row.parameters for row in rows))
        self._advertise = tuple(advertise)
        self.line_limits_bytes = dict.fromkeys(self.commands, COMMAND_LINE_LIMIT_BYTES)
        for row in rows:
            for command, added in _ADDED_BYTES.get(row.name, {}).items():
                self.line_limits_bytes[command] += added

    def ehlo_lines(self, *, limit_bytes: int | None, mechanisms: Iterable[str]) -> list[str]:
        """The keyword lines of an EHLO reply. ``limit_bytes``: the largest message; ``mechanisms``: of AUTH, which is
        left out without any."""
        parameters = {"SIZE": "" if limit_bytes is None else str(limit_bytes), "AUTH": " ".join(mechanisms)}
        names = self.names if parameters["AUTH"] else self.names - {"AUTH"}
        lines = [f"{row.name} {parameters.get(row.name, '')}".rstrip() for row in EXTENSIONS if row.name in names]
        return lines + list(self._advertise)
