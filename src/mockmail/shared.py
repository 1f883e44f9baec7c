"""A server that several processes share, such as the workers of pytest-xdist: begun by the first, stopped by the last.

Whoever uses it holds a connection to it, the lease. The operating system ends a lease with its process, however that
ends, so a worker that crashes leaves no server behind. Joining and leaving are done one at a time, under a file lock.
"""

from __future__ import annotations

import json
import pickle
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mockmail.config import Settings
from mockmail.errors import ConfigurationError, MissingExtraError, NotRunningError

__all__ = ["leased"]

LOCK_SECONDS = 120.0
JOIN_SECONDS = 60.0
"""How long the server may take to greet who joins, and to stop for the last one."""
FIRST_LEASE_SECONDS = 60.0
"""After which a server that nobody has joined stops."""
_NAME = "mockmail-shared"


@contextmanager
def leased(directory: Path, settings: Settings) -> Iterator[str]:
    """Meanwhile there is a server for all who name this directory, which must exist and be this user's alone. Its URL,
    for ``connect``.

    The first one's settings hold, but for ``domains``, ``users`` and ``unknown_recipients``: every domain is local and
    anybody may log in, since each user has addresses of its own. Raises ``MissingExtraError`` without the extra
    ``http``, ``ConfigurationError`` for settings that cannot be given to another process, or be served.
    """
    missing = next((name for name in ("starlette", "uvicorn", "wsproto") if find_spec(name) is None), None)
    if missing is not None:
        raise MissingExtraError(
            f"A shared server is asked over HTTP, and {missing} is not installed: run `pip install 'mockmail[http]'`."
        )
    from filelock import FileLock

    process = None
    with FileLock(directory / f"{_NAME}.lock", timeout=LOCK_SECONDS):
        lease = _join(directory)
        if lease is None:
            process = _begin(directory, settings)
            lease = _join(directory)
            if lease is None:
                raise NotRunningError(f"The shared server ended at once; {directory / _NAME}.log may say why.")
    connection, url = lease
    try:
        yield url
    finally:
        with FileLock(directory / f"{_NAME}.lock", timeout=LOCK_SECONDS):
            left = _leave(connection)
        if process is not None:
            if left:
                # It lives as long as the others need it; nobody waits for it here.
                process.returncode = 0
            else:
                process.wait(JOIN_SECONDS)


def _join(directory: Path) -> tuple[socket.socket, str] | None:
    """A lease of the server that runs, and its URL; ``None`` when none does."""
    try:
        told = json.loads((directory / f"{_NAME}.json").read_text())
        connection = socket.create_connection(("127.0.0.1", told["lease_port"]), timeout=JOIN_SECONDS)
    except (OSError, ValueError):
        return None
    try:
        with connection.makefile("rb") as lines:
            greeting = json.loads(lines.readline())
        if greeting["key"] == told["key"]:
            return connection, greeting["url"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # another program has the port of a server that crashed
    connection.close()
    return None


def _leave(connection: socket.socket) -> int:
    """Give the lease back; how many are left. The server has stopped when it is 0."""
    left = b""
    with connection, suppress(OSError), connection.makefile("rb") as lines:
        connection.shutdown(socket.SHUT_WR)
        left = lines.readline().strip()
        lines.read()  # for the last one, the end of the connection is the end of the server
    return int(left or b"0")


def _begin(directory: Path, settings: Settings) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it serves."""
    settings = settings.updated(
        domains=None, users=None, unknown_recipients="create", http_port=settings.http_port or 0
    )
    try:
        given = pickle.dumps(settings)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"The settings cannot be given to the shared server, which is another process: {error}. Write functions"
            " such as retry_schedule at the top of a module."
        ) from None
    log = directory / f"{_NAME}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "mockmail.shared", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the tests; the server ends with them
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout, suppress(BrokenPipeError):
        with process.stdin:
            process.stdin.write(given)
        if process.stdout.readline():
            return process
    process.wait(JOIN_SECONDS)
    lines = log.read_text(errors="replace").strip().splitlines() or ["it ended without a word"]
    raise ConfigurationError(f"The shared server could not be started: {lines[-1]}")


# In the server's process


def main() -> None:
    """Serve until the last lease ends. The directory is the argument, the settings come on the standard input."""
    from secrets import token_hex

    from mockmail.server import MockMail
    from mockmail.wire.certificates import shared_directory

    directory = Path(sys.argv[1])
    settings: Settings = pickle.loads(sys.stdin.buffer.read())
    with shared_directory(lambda: directory), socket.create_server(("127.0.0.1", 0)) as door:
        mail = MockMail(settings).start()
        user, _, password = (settings.http_auth or "").partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if settings.http_auth else ""
        url = f"http://{login}{mail.http.url.removeprefix('http://')}"
        book = _Book(directory / f"{_NAME}.json", url, door.getsockname()[1], token_hex(8))
        book.write(0)
        print("ready", flush=True)
        last = _serve(door, book)
        book.path.unlink(missing_ok=True)
        mail.stop()
        mail.check()
        if last is not None:
            last.close()


class _Book:
    """The file that says where the server is, and how many use it."""

    def __init__(self, path: Path, url: str, lease_port: int, key: str) -> None:
        self.path = path
        self.greeting = json.dumps({"key": key, "url": url}).encode() + b"\n"
        self._told: dict[str, Any] = {"url": url.rpartition("@")[2], "lease_port": lease_port, "key": key}

    def write(self, leases: int) -> None:
        unfinished = self.path.with_suffix(".new")
        unfinished.write_text(json.dumps({**self._told, "leases": leases}))
        unfinished.replace(self.path)


def _serve(door: socket.socket, book: _Book) -> socket.socket | None:
    """Greet who joins, until the last has left; that one's connection, whose end it waits for."""
    leases = 0
    with selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        while True:
            ready = selector.select(None if leases else FIRST_LEASE_SECONDS)
            if not ready:
                return None
            for key, _ in ready:
                if key.fileobj is door:
                    connection, _ = door.accept()
                    selector.register(connection, selectors.EVENT_READ)
                    leases += 1
                    connection.sendall(book.greeting)
                    book.write(leases)
                    continue
                connection = key.fileobj  # type: ignore[assignment]  # what is registered are sockets
                with suppress(OSError):
                    if connection.recv(64):
                        continue
                selector.unregister(connection)
                leases -= 1
                book.write(leases)
                with suppress(OSError):
                    connection.sendall(b"%d\n" % leases)
                if not leases:
                    return connection
                connection.close()


if __name__ == "__main__":
    main()
