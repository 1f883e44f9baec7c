"""The line to a server in another process, and what needs nothing but it: faults and the clock."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from mockmail.errors import ConfigurationError, NotRunningError

__all__ = ["Line", "RemoteClock", "RemoteFaults"]

TIMEOUT_SECONDS = 30.0


class Line:
    """Requests to the server, a connection each."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no URL of a server; write one such as 'http://127.0.0.1:8025'.")
        self.url = f"http://{parts.netloc.rpartition('@')[2]}"
        self._address = (parts.hostname, parts.port or 80)
        self._headers = {}
        if parts.username is not None:
            login = f"{parts.username}:{parts.password or ''}".encode()
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
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotRunningError(f"No mockmail answers at {self.url}: {error or type(error).__name__}.") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise ConfigurationError(_error(content) or f"{self.url} answered {answer.status} to {method} {path}.")
        return content

    def json(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return json.loads(self.ask(method, path, body, **query))


def _error(content: bytes) -> str:
    try:
        told = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
    return str(told.get("error", "")) if isinstance(told, dict) else ""


class RemoteFaults:
    """Faults of a server in another process: options as of ``mail.faults``, but for patterns and ``where``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def smtp(self, command: str, **options: Any) -> int:
        """A fault of SMTP; its number, for :meth:`remove`."""
        return self._add("smtp", command, options)

    def lmtp(self, command: str, **options: Any) -> int:
        """A fault of LMTP."""
        return self._add("lmtp", command, options)

    def pop3(self, command: str, **options: Any) -> int:
        """A fault of POP3."""
        return self._add("pop3", command, options)

    def imap(self, command: str, **options: Any) -> int:
        """A fault of IMAP."""
        return self._add("imap", command, options)

    def _add(self, protocol: str, command: str, options: Mapping[str, Any]) -> int:
        told = self._line.json("POST", "faults", {"protocol": protocol, "command": command, **options})
        return int(told["faults"][0]["number"])

    def scenario(self, name: str) -> list[int]:
        """Faults that go together, by name."""
        return [int(one["number"]) for one in self._line.json("POST", "faults", {"scenario": name})["faults"]]

    def hits(self, number: int) -> int:
        """How often a fault fired."""
        for one in self._line.json("GET", "faults")["faults"]:
            if one["number"] == number:
                return int(one["hits"])
        raise ConfigurationError(f"There is no fault of the number {number} any more.")

    def remove(self, number: int) -> None:
        """Take a fault back."""
        self._line.json("DELETE", f"faults/{number}")

    def clear(self) -> None:
        """Take all faults back."""
        self._line.json("DELETE", "faults")


class RemoteClock:
    """The clock of a server in another process."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def now(self) -> datetime.datetime:
        """The time there, aware, in UTC."""
        return datetime.datetime.fromisoformat(self._line.json("GET", "clock")["now"])

    def advance(
        self,
        delta: datetime.timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Move it forward; returns when all that was due has happened."""
        total = (delta or datetime.timedelta()) + datetime.timedelta(
            days=days, hours=hours, minutes=minutes, seconds=seconds
        )
        self._line.json("POST", "clock", {"advance_seconds": total.total_seconds()})

    def advance_to_next(self) -> None:
        """Move it to the next instant at which something is due."""
        self._line.json("POST", "clock", {"to_next": True})

    def run_until_idle(self) -> None:
        """Move it on until nothing is due."""
        self._line.json("POST", "clock", {"until_idle": True})

    def freeze(self, at: datetime.datetime) -> None:
        """Have it stand still at ``at``, which must be aware."""
        self._line.json("POST", "clock", {"freeze": at.isoformat()})
