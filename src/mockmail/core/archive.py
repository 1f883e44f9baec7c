"""Mail on disk: eml files, mbox and Maildir, read and written byte for byte. Any thread; files only."""

from __future__ import annotations

import datetime
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mockmail.errors import ConfigurationError

__all__ = ["FORMATS", "Archived", "read_archive", "write_archive"]

MARKER = ".mockmail-archive"
"""Stands in what was written here, which alone is written over."""
INBOX = "INBOX"
_NAME_LIMIT_BYTES = 200
_FLAG_OF = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}
"""Letters of Maildir, in the order in which they must stand."""
_LETTER_OF = {flag: letter for letter, flag in _FLAG_OF.items()}
_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)
_QUOTED_FROM_LINE = re.compile(rb"^>(>*From )", re.MULTILINE)
_SEPARATOR = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From (\S*) +(.*?)\r?\n")
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
    if len(text.encode("utf-8", "surrogateescape")) > _NAME_LIMIT_BYTES:
        raise ConfigurationError(f"{name[:60]!r}... is too long for the name of a file; give the folder a shorter one.")
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
    reader = _Reader(exact=(path / MARKER).exists())
    if path.is_dir():
        yield from reader.directory(path, None, ())
    elif path.is_file():
        yield from reader.file(path, None, ())
    else:
        raise ConfigurationError(f"There is no file or directory {str(path)!r} to load.")


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
            elif below.suffix.lower() in (".eml", ".mbox"):
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
        """The variant "mboxrd": every line that begins with ``From``, behind any ``>``, has one ``>`` more."""
        whole = file.read()
        separators = list(_SEPARATOR.finditer(whole))
        for separator, following in zip(separators, [*separators[1:], None], strict=True):
            body = whole[separator.end() : len(whole) if following is None else following.start()]
            # The empty line between messages ends as all lines of the file do.
            body = body[:-2] if body.endswith(b"\r\n\r\n") and not self._exact else body.removesuffix(b"\n")
            sender = separator[1].decode("utf-8", "replace")
            yield Archived(
                self._lines(_QUOTED_FROM_LINE.sub(rb"\1", body)),
                account,
                folder,
                received_at=_mbox_date(separator[2].decode("ascii", "replace")),
                sender="" if sender == "MAILER-DAEMON" else sender,
            )

    def _maildir(self, path: Path, account: str | None, parts: tuple[str, ...]) -> Iterator[Archived]:
        """A Maildir, with the folders that Maildir++ puts into ``.Name.Sub``."""
        for place, folder in [(path, parts), *_maildir_folders(path, parts)]:
            files = [one for kind in ("new", "cur") for one in (place / kind).iterdir() if one.name[:1] != "."]
            for file in sorted(files, key=lambda one: (one.stat().st_mtime, one.name)):
                _, _, letters = file.name.partition(":2,")
                flags = frozenset(_FLAG_OF[letter] for letter in letters if letter in _FLAG_OF)
                yield Archived(self._lines(file.read_bytes()), account, _folder_of(folder), flags, _time_of(file))


def _time_of(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)


def _mbox_date(text: str) -> datetime.datetime | None:
    try:
        found = datetime.datetime.strptime(" ".join(text.split()[:5]), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return None
    return found.replace(tzinfo=datetime.UTC)


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
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        (fresh / MARKER).write_text(f"{archive_format}\n", "utf-8")
        writer(fresh, by_folder)
        _take_place(fresh, path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return count


def _take_place(fresh: Path, path: Path) -> None:
    if not path.exists():
        fresh.rename(path)
        return
    before = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(before)
    fresh.rename(path)
    shutil.rmtree(before)


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
                sender = re.sub(r"\s", "-", message.sender or "") or "MAILER-DAEMON"
                line = f"From {sender} {at.astimezone(datetime.UTC):%a %b %d %H:%M:%S %Y}\n"
                end = b"\n" if message.raw.endswith(b"\n") else b"\n\n"
                file.write(line.encode("utf-8", "surrogateescape") + _FROM_LINE.sub(rb">\1", message.raw) + end)


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
        for number, message in enumerate(messages, 1):
            at = message.received_at or datetime.datetime.now(datetime.UTC)
            letters = "".join(sorted(_LETTER_OF[flag] for flag in message.flags if flag in _LETTER_OF))
            name = f"{int(at.timestamp())}.M{at.microsecond}P{number:06}.mockmail"
            target = place / "cur" / f"{name}:2,{letters}" if letters else place / "new" / name
            _write(target, message.raw, message.received_at)


def _write(path: Path, raw: bytes, received_at: datetime.datetime | None) -> None:
    path.write_bytes(raw)
    if received_at is not None:
        os.utime(path, (received_at.timestamp(), received_at.timestamp()))


_WRITERS: Mapping[str, _Writer] = {"eml": _write_eml, "mbox": _write_mbox, "maildir": _write_maildir}
FORMATS = tuple(_WRITERS)
