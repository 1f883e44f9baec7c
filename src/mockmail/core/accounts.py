"""Accounts and their mailbox trees. Loop thread only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mockmail.core.mailbox import Mailbox

__all__ = [
    "DELIMITER",
    "INBOX",
    "AccountState",
    "Accounts",
    "MailboxRefused",
    "Token",
    "canonical_address",
    "canonical_name",
]

INBOX = "INBOX"
DELIMITER = "/"
NAME_LIMIT = 1000

CreatedBy = Literal["settings", "test", "login", "delivery", "seed"]

# What mail programs call these folders when they make them; a folder of such a name says what it is for (RFC 6154).
_SPECIAL_USES = {
    "archive": "\\Archive",
    "drafts": "\\Drafts",
    "junk": "\\Junk",
    "sent": "\\Sent",
    "trash": "\\Trash",
}


class MailboxRefused(Exception):
    """A mailbox cannot be made, renamed or deleted so. ``kind`` is for machines, the text for people."""

    def __init__(self, kind: Literal["exists", "missing", "invalid", "has-children"], text: str) -> None:
        super().__init__(text)
        self.kind = kind


def canonical_address(address: str) -> str:
    """An address in the one form under which it is looked up: case does not count, nor do needless quotes.

    Composed and decomposed letters, and a domain's letters and its punycode, are the same.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = domain, ""
    if local.startswith('"') and local.endswith('"') and len(local) > 1:
        local = _unquoted(local)
    if not address.isascii() or "xn--" in domain.lower():
        import unicodedata

        local = unicodedata.normalize("NFC", local).casefold()
        domain = _unicode_domain(unicodedata.normalize("NFC", domain).casefold())
    domain = domain.rstrip(".")
    return f"{local}@{domain}".lower() if at else local.lower()


def _unquoted(local: str) -> str:
    inner = local[1:-1].replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    needs_quotes = not inner or any(char in ' "(),:;<>@[\\]' for char in inner)
    needs_quotes = needs_quotes or inner[0] == "." or inner[-1] == "." or ".." in inner
    return local if needs_quotes else inner


def _unicode_domain(domain: str) -> str:
    labels = []
    for label in domain.split("."):
        if label.startswith("xn--"):
            try:
                labels.append(label[4:].encode("ascii").decode("punycode"))
                continue
            except UnicodeError:
                pass  # not punycode after all: the label is compared as it stands
        labels.append(label)
    return ".".join(labels)


def canonical_name(name: str) -> str:
    """``INBOX`` in any case is one name, also as the root of a tree (RFC 3501 5.1)."""
    head, delimiter, rest = name.partition(DELIMITER)
    return INBOX + delimiter + rest if head.upper() == INBOX else name


@dataclass(slots=True)
class Token:
    """What lets its bearer in instead of a password."""

    expires_at: datetime | None
    """``None``: never."""
    revoked: bool = False


class AccountState:
    """An account: its password and tokens, its mailboxes, its subscriptions, and the lock on its maildrop."""

    __slots__ = (
        "_make_mailbox",
        "address",
        "created_by",
        "inbox",
        "mailboxes",
        "maildrop_opened_at",
        "maildrop_session",
        "password",
        "quota_bytes",
        "subscriptions",
        "tokens",
    )

    def __init__(
        self,
        address: str,
        make_mailbox: Callable[[str, str], Mailbox],
        *,
        password: str | None = None,
        created_by: CreatedBy = "delivery",
    ) -> None:
        self.address = address
        self.password = password
        self.tokens: dict[str, Token] = {}
        """All that were ever issued to it, expired and revoked ones too."""
        self.created_by: CreatedBy = created_by
        self.quota_bytes: int | None = None
        """How much all its mailboxes may hold. ``None``: no limit."""
        self._make_mailbox = make_mailbox
        self.inbox = make_mailbox(address, INBOX)
        """Which every account has."""
        self.mailboxes: dict[str, Mailbox | None] = {INBOX: self.inbox}
        """By name. ``None`` stands for a name that only has children (``\\Noselect``)."""
        self.subscriptions: set[str] = {INBOX}
        self.maildrop_session: str | None = None
        """The POP3 session that has the exclusive lock (RFC 1939 section 4)."""
        self.maildrop_opened_at: datetime | None = None
        """When a session last got it, by the server's clock."""

    @property
    def used_bytes(self) -> int:
        """The size of all its messages; a copy counts as another message."""
        return sum(mailbox.size_bytes for mailbox in self)

    def has_room(self, size_bytes: int) -> bool:
        """Whether its quota lets in so much more."""
        return self.quota_bytes is None or self.used_bytes + size_bytes <= self.quota_bytes

    def mailbox(self, name: str) -> Mailbox | None:
        """The mailbox of that name, or ``None`` when there is none that can be selected."""
        return self.mailboxes.get(canonical_name(name))

    def has_children(self, name: str) -> bool:
        """Whether there are names below ``name``."""
        prefix = name + DELIMITER
        return any(other.startswith(prefix) for other in self.mailboxes)

    def names(self) -> list[str]:
        """All names, INBOX first, then in order."""
        return sorted(self.mailboxes, key=lambda name: (name != INBOX, name))

    def __iter__(self) -> Iterator[Mailbox]:
        return (mailbox for mailbox in list(self.mailboxes.values()) if mailbox is not None)

    def create(self, name: str, *, special_use: str | None = None) -> Mailbox | None:
        """Make a mailbox, and the names above it as mailboxes too (RFC 3501 6.3.3). A trailing delimiter asks only for
        a place to put others in: ``None`` is returned."""
        wanted = _checked(name.removesuffix(DELIMITER))
        existing = self.mailboxes.get(wanted)
        if existing is not None or (wanted in self.mailboxes and name.endswith(DELIMITER)):
            raise MailboxRefused("exists", f"Mailbox {wanted!r} exists already.")
        above = ""
        for part in wanted.split(DELIMITER)[:-1]:
            above = above + DELIMITER + part if above else part
            if above not in self.mailboxes:
                self.mailboxes[above] = self._make_mailbox(self.address, above)
        if name.endswith(DELIMITER):
            self.mailboxes[wanted] = None
            return None
        mailbox = self.mailboxes[wanted] = self._make_mailbox(self.address, wanted)
        mailbox.special_use = special_use or _SPECIAL_USES.get(wanted.lower())
        return mailbox

    def delete(self, name: str) -> Mailbox:
        """Delete a mailbox. One with names below it leaves its name as a place only (RFC 3501 6.3.4)."""
        wanted = canonical_name(name)
        if wanted == INBOX:
            raise MailboxRefused("invalid", "INBOX cannot be deleted.")
        if wanted not in self.mailboxes:
            raise MailboxRefused("missing", f"Mailbox {wanted!r} does not exist.")
        mailbox = self.mailboxes[wanted]
        if mailbox is None:
            if self.has_children(wanted):
                raise MailboxRefused("has-children", f"{wanted!r} has names below it, and is no mailbox itself.")
            del self.mailboxes[wanted]
            return self._make_mailbox(self.address, wanted)
        if self.has_children(wanted):
            self.mailboxes[wanted] = None
        else:
            del self.mailboxes[wanted]
        mailbox.deleted = True
        for view in list(mailbox.views):
            view.on_change()
        return mailbox

    def rename(self, name: str, new_name: str) -> None:
        """Rename a mailbox and all below it; renaming INBOX is the caller's (it moves the messages and leaves INBOX
        empty, RFC 3501 6.3.5)."""
        old, new = canonical_name(name), _checked(new_name.removesuffix(DELIMITER))
        if old not in self.mailboxes:
            raise MailboxRefused("missing", f"Mailbox {old!r} does not exist.")
        if new in self.mailboxes:
            raise MailboxRefused("exists", f"Mailbox {new!r} exists already.")
        if new.startswith(old + DELIMITER):
            raise MailboxRefused("invalid", f"{old!r} cannot be moved below itself.")
        above = ""
        for part in new.split(DELIMITER)[:-1]:
            above = above + DELIMITER + part if above else part
            if above not in self.mailboxes:
                self.mailboxes[above] = self._make_mailbox(self.address, above)
        moved = [other for other in self.mailboxes if other == old or other.startswith(old + DELIMITER)]
        for other in moved:
            mailbox = self.mailboxes.pop(other)
            target = new + other[len(old) :]
            if mailbox is not None:
                mailbox.name = target
            self.mailboxes[target] = mailbox

    def adopt(self, mailbox: Mailbox) -> None:
        """Put a mailbox made elsewhere under its own name, in place of the one there."""
        self.mailboxes[mailbox.name] = mailbox
        if mailbox.name == INBOX:
            self.inbox = mailbox

    def renumber(self, mailbox: Mailbox, uid_validity: int, first_uid: int = 1) -> Mailbox:
        """Put a fresh mailbox in place of one of this account's: the same messages and flags under a new UIDVALIDITY,
        with UIDs from ``first_uid``, newest first. Who watches the old one finds it deleted."""
        fresh = Mailbox(mailbox.account, mailbox.name, uid_validity, uid_next=first_uid)
        fresh.special_use = mailbox.special_use
        fresh.read_only = mailbox.read_only
        fresh.refuse_keywords = mailbox.refuse_keywords
        fresh.add([(entry.message, fresh.spelled(entry.flags)) for entry in reversed(mailbox.entries)])
        self.adopt(fresh)
        mailbox.deleted = True
        for view in list(mailbox.views):
            view.on_change()
        return fresh


def _checked(name: str) -> str:
    wanted = canonical_name(name)
    if not wanted or wanted.startswith(DELIMITER) or DELIMITER * 2 in wanted or wanted.endswith(DELIMITER):
        raise MailboxRefused("invalid", f"{name!r} is no mailbox name: a part between two {DELIMITER!r} is empty.")
    if any(char < " " or char == "\x7f" for char in wanted):
        raise MailboxRefused("invalid", f"{name!r} is no mailbox name: it has control characters.")
    if len(wanted) > NAME_LIMIT:
        raise MailboxRefused("invalid", f"The mailbox name has {len(wanted)} characters; {NAME_LIMIT} are allowed.")
    return wanted


class Accounts:
    """All accounts of a server, by canonical address."""

    __slots__ = ("_by_address", "_make_mailbox", "has_passwords", "has_quotas")

    def __init__(self, make_mailbox: Callable[[str, str], Mailbox]) -> None:
        self._make_mailbox = make_mailbox
        self.has_passwords = False
        """Whether an account was ever given one."""
        self.has_quotas = False
        """The same of quotas."""
        self._by_address: dict[str, AccountState] = {}

    def __iter__(self) -> Iterator[AccountState]:
        return iter(list(self._by_address.values()))

    def __len__(self) -> int:
        return len(self._by_address)

    def get(self, address: str) -> AccountState | None:
        """The account of a full address, or ``None``."""
        return self._by_address.get(address) or self._by_address.get(canonical_address(address))

    def known(self, canonical: str) -> AccountState | None:
        """The same, where the address is in its canonical form."""
        return self._by_address.get(canonical)

    def of_local_part(self, local_part: str) -> list[AccountState]:
        """The accounts whose address begins so."""
        prefix = canonical_address(local_part) + "@"
        return [account for address, account in self._by_address.items() if address.startswith(prefix)]

    def create(self, address: str, *, password: str | None = None, created_by: CreatedBy) -> AccountState:
        """The account of that address, made when it is missing; a password given replaces the one it has."""
        account = self.get(address)
        if account is None:
            canonical = canonical_address(address)
            account = AccountState(canonical, self._make_mailbox, created_by=created_by)
            self._by_address[canonical] = account
        if password is not None:
            account.password = password
            self.has_passwords = True
        return account
