"""Which flags a client may set (RFC 3501 section 2.3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from mockmail.core.mailbox import Mailbox
from mockmail.imap.replies import Refused, bad

__all__ = ["SYSTEM_FLAGS", "checked_flags"]

SYSTEM_FLAGS = frozenset({"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"})


def checked_flags(flags: Iterable[str], mailbox: Mailbox) -> list[str]:
    """``flags`` less the keywords that ``mailbox`` does not take: it ignores those, as PERMANENTFLAGS announced (RFC
    3501 section 7.1). Refuses ``\\Recent`` and what has a backslash and is no flag."""
    allowed = []
    for flag in flags:
        if flag.startswith("\\"):
            if flag == "\\Recent":
                raise Refused(bad("\\Recent is set by the server alone"))
            if flag not in SYSTEM_FLAGS:
                raise Refused(bad(f"{flag[:40]} is no system flag; a keyword is written without a backslash"))
        elif mailbox.refuse_keywords and flag.lower() not in mailbox.keywords:
            continue
        allowed.append(flag)
    return allowed
