"""Which flags a client may set (RFC 3501 section 2.3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from mockmail.core.mailbox import Mailbox
from mockmail.imap.replies import Refused, bad, no
from mockmail.imap.updates import SYSTEM_FLAGS

__all__ = ["KEYWORDS_LIMIT", "KEYWORD_LIMIT_BYTES", "checked_flags"]

KEYWORDS_LIMIT = 1000
"""Keywords of one mailbox: it remembers all that were ever used."""
KEYWORD_LIMIT_BYTES = 250


def checked_flags(flags: Iterable[str], mailbox: Mailbox) -> list[str]:
    """``flags`` less the keywords that ``mailbox`` does not take: it ignores those, as PERMANENTFLAGS announced (RFC
    3501 section 7.1). Refuses ``\\Recent``, what has a backslash and is no flag, and keywords without end."""
    allowed = []
    new = set()
    for flag in flags:
        if flag.startswith("\\"):
            if flag == "\\Recent":
                raise Refused(bad("\\Recent is set by the server alone"))
            if flag not in SYSTEM_FLAGS:
                raise Refused(bad(f"{flag[:40]} is no system flag; a keyword is written without a backslash"))
        elif mailbox.refuse_keywords and flag.lower() not in mailbox.keywords:
            continue
        elif flag.lower() not in mailbox.keywords:
            if len(flag) > KEYWORD_LIMIT_BYTES:
                raise Refused(no(f"A keyword has at most {KEYWORD_LIMIT_BYTES} bytes", "LIMIT"))
            new.add(flag.lower())
        allowed.append(flag)
    if new and len(mailbox.keywords) + len(new) > KEYWORDS_LIMIT:
        raise Refused(no(f"A mailbox has at most {KEYWORDS_LIMIT} keywords", "LIMIT"))
    return allowed
