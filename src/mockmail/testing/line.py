"""The line to a server in another process: requests to its HTTP port."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import threading
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from mockmail.errors import ConfigurationError, NotRunningError

__all__ = ["Line"]

TIMEOUT_SECONDS = 30.0
USER_AGENT = "mockmail-connect"
"""By which the server knows the requests of a test, which are nobody's traffic."""


class Line:
    """Requests to the server, a connection each. Any thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no URL of a server; write one such as 'http://127.0.0.1:8025'.")
        self.url = f"http://{parts.netloc.rpartition('@')[2]}"
        self._address = (parts.hostname, parts.port or 80)
        self._headers = {"User-Agent": USER_AGENT}
        self._lock = threading.Lock()
        self._waiting: set[http.client.HTTPConnection] = set()
        self._closed = False
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = "Basic " + base64.b64encode(login).decode()

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> bytes:
        """The body of the answer. ``ConfigurationError`` has what the server says against it."""
        pairs = {name: value for name, value in query.items() if value is not None}
        target = f"/api/v1/{path}" + (f"?{urlencode(pairs, doseq=True)}" if pairs else "")
        headers = dict(self._headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT_SECONDS)
        with self._lock:
            if self._closed:
                raise NotRunningError(f"This connection to {self.url} is closed; connect() anew.")
            self._waiting.add(connection)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException, AttributeError) as error:
            # Closed by another thread, a connection of http.client's loses its attributes.
            raise NotRunningError(f"No mockmail answers at {self.url}: {error or type(error).__name__}.") from error
        finally:
            with self._lock:
                self._waiting.discard(connection)
            connection.close()
        if answer.status >= 400:
            raise ConfigurationError(_error(content) or f"{self.url} answered {answer.status} to {method} {path}.")
        return content

    def close(self) -> None:
        """Cut off what is being asked; nothing can be asked any more. Idempotent."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
        for connection in waiting:
            if connection.sock is not None:
                with contextlib.suppress(OSError):  # it ended just now
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def json(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return json.loads(self.ask(method, path, body, **query))


def _error(content: bytes) -> str:
    try:
        told = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
    return str(told.get("error", "")) if isinstance(told, dict) else ""
