"""The capabilities of IMAP, a row each, and what follows from the names in force: the capability line, and which
commands and arguments are understood (RFC 3501 sections 6.1.1 and 7.2.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mockmail.auth.mechanisms import without_mechanisms
from mockmail.config import Settings
from mockmail.extensions import Extension, enabled_names
from mockmail.profiles import profile_named
from mockmail.records import record

__all__ = [
    "ALL_UNDERSTOOD",
    "AUTHENTICATED",
    "EXTENSIONS",
    "NOT_AUTHENTICATED",
    "SELECTED",
    "STATES",
    "Understood",
    "capability_line",
    "offered_names",
    "understood",
]

NOT_AUTHENTICATED = "not authenticated"
AUTHENTICATED = "authenticated"
SELECTED = "selected"

_ANY = frozenset({NOT_AUTHENTICATED, AUTHENTICATED, SELECTED})
_AFTER_LOGIN = frozenset({AUTHENTICATED, SELECTED})
_BEFORE_LOGIN = frozenset({NOT_AUTHENTICATED})
_SELECTED = frozenset({SELECTED})

STATES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("CAPABILITY", "NOOP", "LOGOUT", "ID"), _ANY),
    **dict.fromkeys(("STARTTLS", "AUTHENTICATE", "LOGIN"), _BEFORE_LOGIN),
    **dict.fromkeys(("SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"), _AFTER_LOGIN),
    **dict.fromkeys(("LIST", "LSUB", "STATUS", "APPEND", "NAMESPACE", "ENABLE", "IDLE"), _AFTER_LOGIN),
    **dict.fromkeys(("CHECK", "CLOSE", "EXPUNGE", "SEARCH", "FETCH", "STORE", "COPY", "MOVE", "UNSELECT"), _SELECTED),
}
"""The states in which a command is valid, by its name without ``UID``. (ENABLE in selected state too: RFC 5161
section 3.1 leaves it to the server, and mail programs select first.)"""

# Shown in every state, most of them: imaplib asks once, before login, and imap-tools goes by that answer.
EXTENSIONS: tuple[Extension, ...] = (
    Extension(
        "IMAP4REV1",
        "RFC 3501",
        commands=frozenset(STATES).difference({"STARTTLS", "ID", "NAMESPACE", "ENABLE", "IDLE", "MOVE", "UNSELECT"})
        | {"UID FETCH", "UID STORE", "UID COPY", "UID SEARCH"},
    ),
    Extension(
        "STARTTLS",
        "RFC 3501",
        commands=frozenset({"STARTTLS"}),
        states=_BEFORE_LOGIN,
        needs=frozenset({"tls-available", "plain-text"}),
    ),
    Extension("LOGINDISABLED", "RFC 3501", states=_BEFORE_LOGIN, needs=frozenset({"plain-text", "tls-required"})),
    Extension("SASL-IR", "RFC 4959", parameters=frozenset({"AUTHENTICATE initial-response"}), states=_BEFORE_LOGIN),
    Extension("LITERAL+", "RFC 7888", parameters=frozenset({"{n+}"})),
    Extension("ID", "RFC 2971", commands=frozenset({"ID"})),
    Extension("ENABLE", "RFC 5161", commands=frozenset({"ENABLE"})),
    Extension("IDLE", "RFC 2177", commands=frozenset({"IDLE"})),
    Extension("NAMESPACE", "RFC 2342", commands=frozenset({"NAMESPACE"})),
    Extension("CHILDREN", "RFC 3348"),
    Extension("UIDPLUS", "RFC 4315", commands=frozenset({"UID EXPUNGE"})),
    Extension("UNSELECT", "RFC 3691", commands=frozenset({"UNSELECT"})),
    Extension("WITHIN", "RFC 5032", parameters=frozenset({"SEARCH WITHIN"})),
    Extension("MOVE", "RFC 6851", commands=frozenset({"MOVE", "UID MOVE"})),
    Extension("SPECIAL-USE", "RFC 6154", parameters=frozenset({"LIST RETURN SPECIAL-USE"})),
    Extension("CREATE-SPECIAL-USE", "RFC 6154", parameters=frozenset({"CREATE USE"})),
)

_SPELLING = {"IMAP4REV1": "IMAP4rev1"}


def offered_names(settings: Settings) -> frozenset[str]:
    """Names of the rows that these settings leave, in capitals. Raises ``ConfigurationError`` for a name in ``hide``
    that there is not."""
    hide = without_mechanisms(settings.hide.get("imap", ()), hidden=True)
    only = profile_named(settings.profile).names("imap")
    if only is not None:
        only |= {"STARTTLS", "LOGINDISABLED"}  # TLS is a setting of its own, which no profile takes away
    names = enabled_names(EXTENSIONS, only=only, hide=hide, protocol="imap")
    return names if settings.starttls_offered else names - {"STARTTLS"}


@record
class Understood:
    """What a session takes from its client."""

    commands: frozenset[str]
    """In capitals; UID forms apart, as ``"UID FETCH"``."""
    parameters: frozenset[str]
    """As in the rows of :data:`EXTENSIONS`."""


def understood(enabled: Collection[str]) -> Understood:
    """Commands and parameters of the rows whose names are in ``enabled`` (capitals)."""
    rows = [row for row in EXTENSIONS if row.name in enabled]
    return Understood(
        frozenset().union(*(row.commands for row in rows)),
        frozenset().union(*(row.parameters for row in rows)),
    )


ALL_UNDERSTOOD = understood([row.name for row in EXTENSIONS])


def capability_line(
    enabled: Collection[str],
    state: str,
    *,
    auth_mechanisms: Iterable[str] = (),
    facts: Collection[str] = (),
    advertise: Iterable[str] = (),
) -> str:
    """The capability data, ``"CAPABILITY IMAP4rev1 ..."``, for an untagged response as for a response code.

    ``enabled``: names in capitals, from :func:`mockmail.extensions.enabled_names`. ``auth_mechanisms`` become
    ``AUTH=`` names before login. ``facts``: what rows may need, such as ``"tls-available"``. ``advertise``: names
    shown besides, whether they work or not. RFC 3501's own name is there even when hidden, as its grammar wants.
    """
    names = ["IMAP4rev1"]
    names.extend(
        _SPELLING.get(row.name, row.name)
        for row in EXTENSIONS
        if row.name in enabled and (not row.states or state in row.states) and row.needs.issubset(facts)
    )
    if state == NOT_AUTHENTICATED:
        names.extend(f"AUTH={mechanism}" for mechanism in auth_mechanisms)
    names.extend(advertise)
    return "CAPABILITY " + " ".join(dict.fromkeys(names))
