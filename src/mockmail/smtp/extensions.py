"""The service extensions of SMTP and LMTP: from these rows come the EHLO and LHLO replies, what is understood, and the
limits of lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from mockmail.auth.mechanisms import without_mechanisms
from mockmail.config import Settings
from mockmail.extensions import Extension, enabled_names
from mockmail.profiles import profile_named
from mockmail.smtp.replies import GO_AHEAD, SUCCESSES, render, without_status_code

__all__ = ["ALL_COMMANDS", "COMMANDS", "EXTENSIONS", "LMTP_COMMANDS", "Capabilities", "capabilities_of"]

COMMANDS = frozenset({"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "QUIT"})
"""Understood without any extension (RFC 5321 section 4.5.1)."""
LMTP_COMMANDS = COMMANDS - {"HELO", "EHLO"} | {"LHLO"}
"""The same of LMTP (RFC 2033 section 4.1)."""

EXTENSIONS = (
    Extension("PIPELINING", "RFC 2920"),
    Extension("SIZE", "RFC 1870", parameters=frozenset({"SIZE"})),
    Extension("8BITMIME", "RFC 6152", parameters=frozenset({"BODY"})),
    Extension("SMTPUTF8", "RFC 6531", parameters=frozenset({"SMTPUTF8"})),
    Extension("CHUNKING", "RFC 3030", commands=frozenset({"BDAT"})),
    Extension("BINARYMIME", "RFC 3030", needs=frozenset({"CHUNKING", "8BITMIME"})),
    Extension("DSN", "RFC 3461", parameters=frozenset({"RET", "ENVID", "NOTIFY", "ORCPT"})),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034"),
    Extension("STARTTLS", "RFC 3207", commands=frozenset({"STARTTLS"}), needs=frozenset({"starttls"})),
    Extension("AUTH", "RFC 4954", commands=frozenset({"AUTH"}), parameters=frozenset({"AUTH"})),
    Extension("REQUIRETLS", "RFC 8689", parameters=frozenset({"REQUIRETLS"}), needs=frozenset({"tls"})),
    Extension("DELIVERBY", "RFC 2852", parameters=frozenset({"BY"})),
    Extension("LIMITS", "RFC 9422"),
    Extension("EXPN", "RFC 5321", commands=frozenset({"EXPN"})),
    Extension("HELP", "RFC 5321", commands=frozenset({"HELP"})),
)
"""In the order in which they are advertised. What a row needs is another row, or a fact: ``"tls"``, the bytes travel
over TLS; ``"starttls"``, they may be made to. STARTTLS is understood, so that it can be refused, but not shown where
there is TLS already."""
ALL_COMMANDS = COMMANDS.union(LMTP_COMMANDS, *(row.commands for row in EXTENSIONS))
"""Also those that a profile leaves out."""

COMMAND_LINE_LIMIT_BYTES = 512
"""With CRLF (RFC 5321 section 4.5.3.1.4)."""

_ADDED_BYTES = {
    # What an extension adds to the longest line of a command, by the RFC of its row. (8BITMIME: RFC 6152 section 2;
    # SMTPUTF8: RFC 6531 section 3.1; DSN: RFC 3461 section 5.4; AUTH: RFC 4954 sections 3 and 4.)
    "SIZE": {"MAIL": 26},
    "8BITMIME": {"MAIL": 17},
    "SMTPUTF8": {"MAIL": 10, "VRFY": 10, "EXPN": 10},
    "BINARYMIME": {"MAIL": 16},
    "DSN": {"MAIL": 116, "RCPT": 530},
    "AUTH": {"MAIL": 500, "AUTH": 12288 - COMMAND_LINE_LIMIT_BYTES},
    "REQUIRETLS": {"MAIL": 11},
    "DELIVERBY": {"MAIL": 17},
}


class Capabilities:
    """What one server offers: all rows whose needs are met by other rows or by ``facts``, or those named in ``only``,
    less ``hide``; ``advertise`` has words that are shown and mean nothing. ``protocol`` is ``smtp`` or ``lmtp``.
    Raises ``ConfigurationError`` for a name that no row has."""

    __slots__ = (
        "_advertise", "_shown", "commands", "go_ahead", "line_limits_bytes", "names", "parameters", "status_codes",
        "successes",
    )  # fmt: skip

    def __init__(
        self,
        *,
        only: Collection[str] | None = None,
        hide: Collection[str] = (),
        advertise: Iterable[str] = (),
        facts: Collection[str] = (),
        protocol: str = "smtp",
    ) -> None:
        enabled = enabled_names(EXTENSIONS, only=only, hide=hide, protocol=protocol)
        given = enabled.union(facts)
        rows = [row for row in EXTENSIONS if row.name in enabled and row.needs <= given]
        self.names = frozenset(row.name for row in rows)
        self.status_codes = "ENHANCEDSTATUSCODES" in self.names
        """Whether replies have them (RFC 2034)."""
        self.successes = {reply: self.rendered(reply) for reply in SUCCESSES}
        """On the wire, the replies by which most commands are done."""
        self.go_ahead = self.rendered(GO_AHEAD)
        """On the wire, the reply to DATA."""
        self._shown = self.names - {"STARTTLS"} if "tls" in facts else self.names
        self.commands = (LMTP_COMMANDS if protocol == "lmtp" else COMMANDS).union(*(row.commands for row in rows))
        self.parameters = frozenset().union(*(row.parameters for row in rows))
        self._advertise = tuple(advertise)
        self.line_limits_bytes = dict.fromkeys(self.commands, COMMAND_LINE_LIMIT_BYTES)
        for row in rows:
            for command, added in _ADDED_BYTES.get(row.name, {}).items():
                if command in self.line_limits_bytes:
                    self.line_limits_bytes[command] += added

    def rendered(self, reply: str) -> bytes:
        """A reply on the wire."""
        if not self.status_codes:
            reply = without_status_code(reply)
        return render(reply)

    @lru_cache(maxsize=64)  # noqa: B019  all instances are kept anyway, by the cache below
    def ehlo_lines(
        self,
        *,
        limit_bytes: int | None,
        mechanisms: tuple[str, ...],
        recipient_limit: int,
        transaction_limit: int | None = None,
    ) -> tuple[str, ...]:
        """The keyword lines of an EHLO or LHLO reply. ``limit_bytes``: the largest message; ``mechanisms``: of AUTH,
        which is left out without any; ``recipient_limit`` of one transaction, ``transaction_limit`` of one
        connection."""
        limits = f"RCPTMAX={recipient_limit}"
        parameters = {
            "SIZE": "" if limit_bytes is None else str(limit_bytes),
            "AUTH": " ".join(mechanisms),
            "LIMITS": limits if transaction_limit is None else f"MAILMAX={transaction_limit} {limits}",
        }
        names = self._shown if parameters["AUTH"] else self._shown - {"AUTH"}
        lines = [f"{row.name} {parameters.get(row.name, '')}".rstrip() for row in EXTENSIONS if row.name in names]
        return (*lines, *self._advertise)


def capabilities_of(settings: Settings, protocol: str = "smtp", *, facts: Collection[str] = ()) -> Capabilities:
    """What these settings offer by ``smtp`` or ``lmtp``. Raises ``ConfigurationError`` for a name in ``hide`` that the
    protocol does not have."""
    hide, advertise = settings.hide.get(protocol, ()), settings.advertise.get(protocol, ())
    facts = {*facts, "starttls"} if settings.starttls_offered else facts
    return _capabilities(settings.profile, tuple(hide), tuple(advertise), frozenset(facts), protocol)


@lru_cache(maxsize=64)
def _capabilities(
    profile: str, hide: tuple[str, ...], advertise: tuple[str, ...], facts: frozenset[str], protocol: str
) -> Capabilities:
    only = profile_named(profile).names(protocol)
    if only is not None:
        only |= {"STARTTLS"}  # TLS is a setting of its own, which no profile takes away
    return Capabilities(
        only=only,
        hide=without_mechanisms(hide, hidden=True),
        advertise=without_mechanisms(advertise),
        facts=facts,
        protocol=protocol,
    )
