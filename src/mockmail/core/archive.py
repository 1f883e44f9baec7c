"""Mail on disk: eml files, mbox and Maildir, read and written byte for byte. Any thread; files only."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mockmail.core.mbox import join_message, split_messages
from mockmail.errors import ConfigurationError

__all__ = ["FORMATS", "Archived", "read_archive", "write_archive"]

MARKER = ".mockmail-archive"
"""Stands in what was written here, which alone is written over."""
INBOX = "INBOX"
_NAME_LIMIT_BYTES = 200
_FLAG_OF = {
    "D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted",
}  # fmt: skip
"""Letters of Maildir, in the order in which they must stand."""
_LETTER_OF = {flag: letter for letter, flag in _FLAG_OF.items()}
_KEYWORDS = "dovecot-keywords"
"""Says which keyword each of the letters from ``a`` is, a line each, as Dovecot has it."""
_KEYWORD_LIMIT = 26
_ESCAPED = re.compile(r"%([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class Archived:
    """A message as an archive has it."""

    raw: bytes
    account: str | None = None
    """``None``: the archive does not say whose it is."""
    folder: str = INBOX
    flags: frozenset[str] = frozenset()
    received_at: datetime.datetime | None = None
    sender: str | None = None


# Names. What a file system may take for something else is written as %XX of its UTF-8.


def _escaped(name: str, *, also: str = "") -> str:
    unsafe = set('/\\:*?"<>|%\0' + also)
    text = "".join(
        "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        if char in unsafe or not char.isprintable()
        else char
        for char in name
    )
    if text.startswith("."):
        text = "%2E" + text[1:]
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) > _NAME_LIMIT_BYTES:
        # Mail is not lost for its folder's name: what a file system has no room for is told apart by a digest.
        short = encoded[: _NAME_LIMIT_BYTES - 20].decode("utf-8", "ignore")
        text = f"{re.sub(r'%.?$', '', short)}~{hashlib.sha256(encoded).hexdigest()[:16]}"
    return text or "%"


def _plain(text: str) -> str:
    raw = re.sub(r"(?:%[0-9A-F]{2})+", lambda match: _bytes_of(match[0]).decode("utf-8", "replace"), text)
    return "" if raw == "%" else raw


def _bytes_of(escapes: str) -> bytes:
    return bytes(int(code, 16) for code in _ESCAPED.findall(escapes))


# Reading


def read_archive(path: Path) -> Iterator[Archived]:
    """All messages of a file or directory: an eml file, an mbox, a Maildir, or a directory of these, whose directories
    name accounts (what has an ``@``) and folders. ``ConfigurationError`` when there is nothing there.

    Lines end in CRLF afterwards, as they do on the wire; what was written here is given back byte for byte."""
    try:
        reader = _Reader(exact=(path / MARKER).exists())
        if path.is_dir():
            yield from reader.directory(path, None, ())
        elif path.is_file():
            yield from reader.file(path, None, ())
        else:
            raise ConfigurationError(f"There is no file or directory {str(path)!r} to load.")
    except OSError as error:
        where = error.filename or str(path)
        raise ConfigurationError(f"{str(where)!r} cannot be loaded: {error.strerror or error}.") from None


def _folder_of(parts: Sequence[str]) -> str:
    return "/".join(parts) or INBOX


class _Reader:
    def __init__(self, *, exact: bool) -> None:
        self._exact = exact

    def directory(self, path: Path, account: str | None, parts: tuple[str, ...]) -> Iterator[Archived]:
        if (path / "cur").is_dir() and (path / "new").is_dir():
            yield from self._maildir(path, account, parts)
            return
        for below in sorted(path.iterdir()):
            if below.name.startswith("."):
                continue
            if below.is_dir():
                name = _plain(below.name)
                if account is None and not parts and "@" in name:
                    yield from self.directory(below, name, parts)
                else:
                    yield from self.directory(below, account, (*parts, name))
            elif below.suffix.lower() in (".eml", ".mbox") and below.is_file():
                yield from self.file(below, account, parts)

    def file(self, path: Path, account: str | None, parts: tuple[str, ...]) -> Iterator[Archived]:
        with path.open("rb") as file:
            is_mbox = file.read(5) == b"From " and path.suffix.lower() != ".eml"
            file.seek(0)
            if is_mbox or path.suffix.lower() == ".mbox":
                if account is not None:
                    parts = (*parts, _plain(path.stem))
                yield from self._mbox(file, account, _folder_of(parts))
                return
            yield Archived(self._lines(file.read()), account, _folder_of(parts), received_at=_time_of(path))

    def _lines(self, raw: bytes) -> bytes:
        """As it goes over the wire. What has CRLF anywhere is taken to be so already."""
        return raw if self._exact or b"\r\n" in raw else raw.replace(b"\n", b"\r\n")

    def _mbox(self, file: BinaryIO, account: str | None, folder: str) -> Iterator[Archived]:
        for raw, sender, received_at, flags in split_messages(file.read()):
            yield Archived(raw, account, folder, flags, received_at, sender)

    def _maildir(self, path: Path, account: str | None, parts: tuple[str, ...]) -> Iterator[Archived]:
        """A Maildir, with the folders that Maildir++ puts into ``.Name.Sub``."""
        for place, folder in [(path, parts), *_maildir_folders(path, parts)]:
            files = [one for kind in ("new", "cur") for one in (place / kind).iterdir() if one.name[:1] != "."]
            flag_of = {**_FLAG_OF, **_read_keywords(place / _KEYWORDS)}
            for file in sorted(files, key=lambda one: (one.stat().st_mtime, one.name)):
                if not file.is_file():
                    continue
                _, _, letters = file.name.partition(":2,")
                flags = frozenset(flag_of[letter] for letter in letters if letter in flag_of)
                yield Archived(self._lines(file.read_bytes()), account, _folder_of(folder), flags, _time_of(file))


def _time_of(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)


def _read_keywords(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        number, _, keyword = line.partition(" ")
        if number.isascii() and number.isdigit() and int(number) < _KEYWORD_LIMIT and keyword:
            found[chr(ord("a") + int(number))] = keyword
    return found


def _maildir_folders(path: Path, parts: tuple[str, ...]) -> list[tuple[Path, tuple[str, ...]]]:
    return [
        (below, (*parts, *(_plain(part) for part in below.name[1:].split("."))))
        for below in sorted(path.iterdir())
        if below.name.startswith(".") and (below / "cur").is_dir() and (below / "new").is_dir()
    ]


# Writing

_Writer = Callable[[Path, Mapping[tuple[str, str], Sequence[Archived]]], None]


def write_archive(path: Path, archive_format: str, messages: Iterable[Archived]) -> int:
    """Write messages into a directory made for them, and return how many there were. It takes its place only when all
    is written; one that is there already must have been written so, too, else ``ConfigurationError`` is raised."""
    writer = _WRITERS.get(archive_format)
    if writer is None:
        raise ConfigurationError(f"format is {archive_format!r}; write one of {', '.join(map(repr, FORMATS))}.")
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / MARKER).exists()):
        raise ConfigurationError(f"{str(path)!r} is there already, and not written by mockmail; name another place.")
    by_folder: dict[tuple[str, str], list[Archived]] = defaultdict(list)
    count = 0
    for count, message in enumerate(messages, 1):  # noqa: B007 - the last number is how many
        by_folder[message.account or "unknown", message.folder].append(message)
    path = path.resolve()
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        (fresh / MARKER).write_text(f"{archive_format}\n", "utf-8")
        writer(fresh, by_folder)
        _take_place(fresh, path)
    except OSError as error:
        raise ConfigurationError(f"Mail cannot be saved in {str(path)!r}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return count


def _take_place(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    before = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(before)
    try:
        fresh.rename(path)
    except OSError:
        before.rename(path)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _write_eml(path: Path, folders: Mapping[tuple[str, str], Sequence[Archived]]) -> None:
    for (account, folder), messages in folders.items():
        place = path / _escaped(account)
        for part in folder.split("/"):
            place /= _escaped(part)
        place.mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages, 1):
            _write(place / f"{number:06}.eml", message.raw, message.received_at)


def _write_mbox(path: Path, folders: Mapping[tuple[str, str], Sequence[Archived]]) -> None:
    for (account, folder), messages in folders.items():
        *above, last = folder.split("/")
        place = path.joinpath(_escaped(account), *map(_escaped, above))
        place.mkdir(parents=True, exist_ok=True)
        with (place / f"{_escaped(last)}.mbox").open("wb") as file:
            for message in messages:
                at = message.received_at or datetime.datetime.now(datetime.UTC)
                file.write(join_message(message.raw, message.sender or "", at, message.flags))


def _write_maildir(path: Path, folders: Mapping[tuple[str, str], Sequence[Archived]]) -> None:
    for (account, folder), messages in folders.items():
        home = path / _escaped(account)
        below = ".".join(_escaped(part, also=".") for part in folder.split("/"))
        place = home if folder == INBOX else home / f".{below}"
        for one in {home, place}:
            for kind in ("tmp", "new", "cur"):
                (one / kind).mkdir(parents=True, exist_ok=True)
        if place != home:
            (place / "maildirfolder").touch()
        keywords = sorted({flag for one in messages for flag in one.flags if flag not in _LETTER_OF})[:_KEYWORD_LIMIT]
        letter_of = {**_LETTER_OF, **{keyword: chr(ord("a") + at) for at, keyword in enumerate(keywords)}}
        if keywords:
            lines = "".join(f"{at} {keyword}\n" for at, keyword in enumerate(keywords))
            (place / _KEYWORDS).write_text(lines, "utf-8")
        for number, message in enumerate(messages, 1):
            at = message.received_at or datetime.datetime.now(datetime.UTC)
            letters = "".join(sorted(letter_of[flag] for flag in message.flags if flag in letter_of))
            name = f"{int(at.timestamp())}.M{at.microsecond}P{number:06}.mockmail"
            target = place / "cur" / f"{name}:2,{letters}" if letters else place / "new" / name
            _write(target, message.raw, message.received_at)


def _write(path: Path, raw: bytes, received_at: datetime.datetime | None) -> None:
    path.write_bytes(raw)
    if received_at is not None:
        # A time before the system's first stays now.
        with contextlib.suppress(OSError, OverflowError):
            os.utime(path, (received_at.timestamp(), received_at.timestamp()))


_WRITERS: Mapping[str, _Writer] = {"eml": _write_eml, "mbox": _write_mbox, "maildir": _write_maildir}
FORMATS = tuple(_WRITERS)
