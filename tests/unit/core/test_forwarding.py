"""Mail that goes in a loop is told by its Received fields."""

from __future__ import annotations

import pytest

from mockmail.core.forwarding import HOP_LIMIT, VISIT_LIMIT, loop_in


def received(server: str, count: int) -> bytes:
    return f"Received: from x ([127.0.0.1])\r\n\tby {server} with ESMTP id 1;\r\n\tdate\r\n".encode() * count


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (b"\r\n", None),
        (received("a.test", VISIT_LIMIT - 1) + b"\r\n", None),
        (
            received("A.test", VISIT_LIMIT) + b"\r\n",
            "Mail loop: the message came through a.test more than 10 times",
        ),
        (received("b.test", HOP_LIMIT - 1) + b"\r\n", None),
        (b"Subject: x\r\n" + received("b.test", HOP_LIMIT), "Too many hops"),
        (b"Subject: x\r\n\r\n" + received("a.test", HOP_LIMIT + 1), None),
    ],
)
def test_a_loop(text, flaw) -> None:
    found = loop_in(text, "a.test")
    assert found is flaw is None or (found is not None and found.startswith(flaw))
