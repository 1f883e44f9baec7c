"""Mailpit's WebSocket: what happens is told at once."""

import json
import smtplib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, Request, TextMessage


class Listener:
    """A WebSocket client, a message at a time."""

    def __init__(self, web: Any, **headers: str) -> None:
        self.socket = socket.create_connection(web.mail.http.address, timeout=20)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        host = "{}:{}".format(*web.mail.http.address)
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.socket.sendall(self.protocol.send(Request(host=host, target="/api/events", extra_headers=extra)))
        self._events: Iterator[Any] = iter(())

    def event(self) -> Any:
        while True:
            for event in self._events:
                return event
            data = self.socket.recv(65536)
            self.protocol.receive_data(data or None)
            self._events = self.protocol.events()

    def message(self) -> dict[str, Any]:
        text = ""
        while True:
            event = self.event()
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    told: dict[str, Any] = json.loads(text)
                    return told


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    listeners: list[Listener] = []

    def connect(web: Any, **headers: str) -> Listener:
        listeners.append(Listener(web, **headers))
        return listeners[-1]

    yield connect
    for one in listeners:
        one.socket.close()


def test_mail_its_reading_and_its_end_are_told(web: Any, listen: Callable[..., Listener]) -> None:
    client = listen(web)
    assert isinstance(client.event(), AcceptConnection)
    assert client.message() == {"Type": "stats", "Data": {"Total": 0, "Unread": 0, "Version": "v0.1.0"}}
    stored = web.mail.seed(to="bob@example.test", subject="New")
    new = client.message()
    assert (new["Type"], new["Data"]["ID"], new["Data"]["Subject"]) == ("new", stored.id, "New")
    assert client.message()["Data"]["Unread"] == 1
    web.mail.account("bob@example.test").inbox.add_flags(stored.uid, "seen")
    assert client.message() == {"Type": "update", "Data": {"ID": stored.id, "Read": True, "Tags": []}}
    assert client.message()["Data"]["Unread"] == 0
    web.mail.account("bob@example.test").inbox.clear()
    assert client.message() == {"Type": "delete", "Data": {"ID": stored.id}}
    assert client.message() == {"Type": "truncate", "Data": None}
    assert client.message()["Type"] == "stats"
    web.mail.reset()
    assert client.message() == {"Type": "truncate", "Data": None}
    assert client.message()["Data"]["Total"] == 0
    web.mail.seed(to="bob@example.test", subject="After")
    assert client.message()["Data"]["Subject"] == "After"


def test_a_page_elsewhere_cannot_listen(web: Any, listen: Callable[..., Listener]) -> None:
    assert isinstance(listen(web, Origin="http://evil.test").event(), RejectConnection)
    assert isinstance(listen(web, Origin=web.mail.http.url).event(), AcceptConnection)


def test_a_stop_ends_it(web: Any, listen: Callable[..., Listener]) -> None:
    client = listen(web)
    assert client.event()
    assert client.message()["Type"] == "stats"
    web.mail.stop()
    try:
        left = client.socket.recv(1000)
    except ConnectionError:
        left = b""
    assert left == b""


def test_other_tags_are_told(web: Any, listen: Callable[..., Listener]) -> None:
    stored = web.mail.seed(to="bob@example.test", subject="One")
    client = listen(web)
    assert client.message()["Type"] == "stats"
    web("PUT", "/api/v1/tags", {"IDs": [stored.id], "Tags": ["a"]})
    assert client.message() == {"Type": "update", "Data": {"ID": stored.id, "Tags": ["a"]}}
    assert client.message()["Type"] == "stats"
    web("PUT", "/api/v1/tags/a", {"Name": "b"})
    assert client.message() == {"Type": "prune", "Data": None}


def test_an_emptied_list_is_truncated(web: Any, listen: Callable[..., Listener]) -> None:
    for number in range(3):
        web.mail.seed(to="bob@example.test", subject=str(number))
    client = listen(web)
    assert client.message()["Data"]["Total"] == 3
    web("DELETE", "/api/v1/messages")
    assert client.message() == {"Type": "truncate", "Data": None}
    assert client.message()["Data"]["Total"] == 0


def test_what_goes_because_there_is_too_much_is_pruned(
    serve: Callable[..., Any], listen: Callable[..., Listener]
) -> None:
    web = serve(max_messages=1)
    client = listen(web)
    assert client.message()["Type"] == "stats"
    with smtplib.SMTP(*web.mail.smtp.address) as smtp:
        for subject in ("One", "Two"):
            smtp.sendmail("app@example.test", "bob@example.test", f"Subject: {subject}\r\n\r\nHi\r\n")
    told = [client.message()]
    while told[-1]["Type"] != "prune":
        told.append(client.message())
    assert {one["Type"] for one in told} == {"new", "stats", "prune"}


def test_refusals_are_told_as_errors(serve: Callable[..., Any], listen: Callable[..., Listener]) -> None:
    web = serve(users={"bob@example.test": "secret"})
    client = listen(web)
    assert client.message()["Type"] == "stats"
    with smtplib.SMTP(*web.mail.smtp.address) as smtp:
        smtp.ehlo()
        smtp.mail("app@example.test")
        refusal = smtp.rcpt("eve@example.test")[1].decode()
    told = client.message()
    assert told["Type"] == "error"
    assert told["Data"] == {"Level": "error", "Type": "smtpd", "IP": "127.0.0.1", "Message": f"550 {refusal}"}
