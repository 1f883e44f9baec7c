"""A server with HTTP, and a client that shows every answer as it is."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from mockmail import MockMail


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Web:
    """Sends requests to a server, one connection each."""

    def __init__(self, mail: MockMail) -> None:
        self.mail = mail

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        host, port = self.mail.http.address
        connection = http.client.HTTPConnection(host, port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)


@pytest.fixture
def serve() -> Iterator[Callable[..., Web]]:
    running: list[MockMail] = []

    def start(*, imap: bool = False, **settings: Any) -> Web:
        mail = MockMail(http_port=0, pop3_port=None, imap_port=0 if imap else None, **settings).start()
        running.append(mail)
        return Web(mail)

    yield start
    for mail in running:
        mail.stop()
        mail.check()


@pytest.fixture
def web(serve: Callable[..., Web]) -> Web:
    return serve()
