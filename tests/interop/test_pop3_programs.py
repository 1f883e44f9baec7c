"""Programs that pull mail by POP3: each reads a mailbox and keeps it, finds nothing new, and then empties it."""

from __future__ import annotations

import poplib
from collections.abc import Callable
from pathlib import Path

import pytest

from mockmail import MockMail
from mockmail.core.events import LoggedIn

BOB = "bob@example.test"
PASSWORD = "secret"
BODIES = (b"one\n", b".\n..two dots\n.\n\nlast\n", "8-bit: grüße\n".encode(), b"x" * 900 + b"\n" + b"line\n" * 5000)
READERS = {
    "mpop": ("plain", "starttls", "tls"),
    "fetchmail": ("plain", "starttls", "tls"),
    "getmail": ("plain", "tls"),
    "node_pop3": ("plain", "tls"),
    "python": ("plain", "starttls", "tls"),
}
"""Fixture -> the modes that the program has."""

Reader = Callable[[MockMail, str, Path, bool], list[bytes]]
"""Pulls into an empty folder, keeping the mail or not: the messages as they came."""


@pytest.fixture
def server(mockmail_factory: Callable[..., MockMail], mode: str) -> MockMail:
    server = mockmail_factory(users={BOB: PASSWORD}, tls=mode != "plain")
    for number, body in enumerate(BODIES):
        raw = b"From: a@b.test\n%bSubject: %d\n\n%b" % (b"X-Long: 1\n" * 50, number, body)
        server.seed(raw.replace(b"\n", b"\r\n"), to=BOB)
    return server


def _maildir(path: Path) -> Path:
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def _files(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()]


def _deliver_into(folder: Path) -> Path:
    """A program that puts its input into a file there: one that delivers itself may refuse to do so for root."""
    folder.mkdir()
    deliver = folder.with_suffix(".sh")
    deliver.write_text(f'#!/bin/sh\ncat > "$(mktemp {folder}/XXXXXX)"\n')
    deliver.chmod(0o700)
    return deliver


def _port(server: MockMail, mode: str) -> int:
    return (server.pop3s if mode == "tls" else server.pop3).port


@pytest.fixture
def mpop(program: Callable, tmp_path: Path) -> Reader:
    run = program("mpop")

    def read(server: MockMail, mode: str, folder: Path, keep: bool) -> list[bytes]:
        trust = "" if mode == "plain" else f"tls_trust_file {server.tls.ca_file}\n"
        config = tmp_path / "mpoprc"
        config.write_text(
            f"account default\nhost 127.0.0.1\nport {_port(server, mode)}\nuser {BOB}\npassword {PASSWORD}\nauth user\n"
            f"tls {'off' if mode == 'plain' else 'on'}\ntls_starttls {'on' if mode == 'starttls' else 'off'}\n{trust}"
            f"keep {'on' if keep else 'off'}\nonly_new {'on' if keep else 'off'}\nreceived_header off\n"
            f"uidls_file {tmp_path}/uidls\ndelivery maildir {_maildir(folder)}\n"
        )
        config.chmod(0o600)
        run("-C", config)
        return _files(folder)

    return read


@pytest.fixture
def fetchmail(program: Callable, tmp_path: Path) -> Reader:
    run = program("fetchmail")

    def read(server: MockMail, mode: str, folder: Path, keep: bool) -> list[bytes]:
        deliver = _deliver_into(folder)
        security = "sslproto ''"
        if mode != "plain":
            security = f"{'ssl ' if mode == 'tls' else ''}sslproto 'auto' sslcertck sslcertfile '{server.tls.ca_file}'"
            security += " sslcommonname localhost"  # it looks at no IP addresses in certificates
        config = tmp_path / "fetchmailrc"
        config.write_text(
            f"poll 127.0.0.1 protocol POP3 port {_port(server, mode)} auth password uidl\n"
            f"user '{BOB}' password '{PASSWORD}' is 'root' here {security} "
            f"{'keep' if keep else 'fetchall nokeep'} mda '{deliver}'\n"
        )
        config.chmod(0o700)
        # 1 is its "no new mail".
        run("-f", config, "--invisible", "--idfile", tmp_path / "ids", "--pidfile", tmp_path / "pid", ok=(0, 1))
        return _files(folder)

    return read


@pytest.fixture
def getmail(program: Callable, tmp_path: Path) -> Reader:
    run = program("getmail")

    def read(server: MockMail, mode: str, folder: Path, keep: bool) -> list[bytes]:
        trust = "" if mode == "plain" else f"ca_certs = {server.tls.ca_file}\n"
        (tmp_path / "state").mkdir(exist_ok=True)
        config = tmp_path / "getmailrc"
        config.write_text(
            f"[retriever]\ntype = SimplePOP3{'SSL' if mode == 'tls' else ''}Retriever\nserver = 127.0.0.1\n"
            f"port = {_port(server, mode)}\nusername = {BOB}\npassword = {PASSWORD}\n{trust}"
            f"[destination]\ntype = MDA_external\npath = {_deliver_into(folder)}\nallow_root_commands = true\n"
            f"[options]\nread_all = {'false' if keep else 'true'}\ndelete = {'false' if keep else 'true'}\n"
            f"verbose = 0\ndelivered_to = false\nreceived = false\n"
        )
        config.chmod(0o600)
        run("--getmaildir", tmp_path / "state", "--rcfile", config)
        return _files(folder)

    return read


NODE_POP3 = """
import { createRequire } from 'node:module';
const Pop3Command = createRequire(import.meta.url)('node-pop3');
import { readFileSync } from 'node:fs';
const { options, known, keep } = JSON.parse(readFileSync(0, 'utf8'));
const pop3 = new (Pop3Command.default || Pop3Command)(options);
const messages = [], names = [];
for (const [number, name] of await pop3.UIDL()) {
  names.push(name);
  if (known.includes(name)) continue;
  messages.push(await pop3.RETR(number));
  if (!keep) await pop3.command('DELE', number);
}
await pop3.QUIT();
console.log(JSON.stringify({ messages, names }));
"""


@pytest.fixture
def node_pop3(node_script: Callable) -> Reader:
    run = node_script("node-pop3@0.11", NODE_POP3)
    known: list[str] = []

    def read(server: MockMail, mode: str, folder: Path, keep: bool) -> list[bytes]:
        options = {
            "user": BOB,
            "password": PASSWORD,
            "host": "127.0.0.1",
            "port": _port(server, mode),
            "tls": mode == "tls",
        }
        environ = {} if mode == "plain" else {"NODE_EXTRA_CA_CERTS": str(server.tls.ca_file)}
        result = run({"options": options, "known": known if keep else [], "keep": keep}, **environ)
        known[:] = result["names"]
        # It leaves dots doubled that begin a line.
        return [message.replace("\r\n..", "\r\n.").encode() for message in result["messages"]]

    return read


@pytest.fixture
def python() -> Reader:
    known: set[bytes] = set()

    def read(server: MockMail, mode: str, folder: Path, keep: bool) -> list[bytes]:
        if mode == "tls":
            client: poplib.POP3 = poplib.POP3_SSL(
                *server.pop3s.address, context=server.tls.client_context(), timeout=10
            )
        else:
            client = poplib.POP3(*server.pop3.address, timeout=10)
        if mode == "starttls":
            client.stls(server.tls.client_context())
        client.utf8()
        client.user(BOB)
        client.pass_(PASSWORD)
        messages = []
        for line in client.uidl()[1]:
            number, name = line.split()
            if not keep or name not in known:
                messages.append(b"".join(part + b"\n" for part in client.retr(int(number))[1]))
            known.add(name)
            if not keep:
                client.dele(int(number))
        client.quit()
        return messages

    return read


@pytest.mark.parametrize(
    ("reader", "mode"),
    [(reader, mode) for reader, modes in READERS.items() for mode in modes],
)
def test_keep_then_delete(
    server: MockMail, reader: str, mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    read: Reader = request.getfixturevalue(reader)
    inbox = server.account(BOB).inbox

    def bodies(folder: str, *, keep: bool) -> list[bytes]:
        got = read(server, mode, tmp_path / folder, keep)
        plain = [message.replace(b"\r\n", b"\n").partition(b"\n\n")[2] for message in got]
        return sorted(body.rstrip(b"\n") for body in plain)

    expected = sorted(body.rstrip(b"\n") for body in BODIES)
    assert bodies("first", keep=True) == expected
    assert len(inbox) == len(BODIES)
    # fetchmail reads by TOP what it keeps, so as not to mark it.
    assert all(message.seen == (reader != "fetchmail") for message in inbox)
    assert bodies("second", keep=True) == []
    server.seed(to=BOB, subject="new", text="new")
    assert bodies("third", keep=True) == [b"new"]
    assert bodies("last", keep=False) == sorted([*expected, b"new"])
    assert len(inbox) == 0
    for login in server.events.of(LoggedIn):
        assert (login.account, login.tls is not None) == (BOB, mode != "plain")
    assert PASSWORD not in str(server.transcript)
