"""Answers compressed for those who take it."""

import gzip
import json
from typing import Any

import pytest

from mockmail.http.compress import accepts_gzip


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("deflate,GZIP", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzipped", False),
        ("br, gzip-x", False),
    ],
)
def test_what_a_client_takes(header: str, takes: bool) -> None:
    assert accepts_gzip(header) is takes


@pytest.mark.parametrize("count", [5, 400])
def test_a_list_is_compressed_for_who_takes_it(web: Any, count: int) -> None:
    for number in range(count):
        web.mail.seed(to="bob@example.test", subject=str(number))
    path = f"/api/v1/messages?limit={count}"
    plain = web.get(path)
    assert "content-encoding" not in plain.headers
    short = web.get(path, Accept_Encoding="br, gzip")
    assert (short.headers["content-encoding"], int(short.headers["content-length"])) == ("gzip", len(short.body))
    assert "Accept-Encoding" in short.headers["vary"]
    assert len(short.body) < len(plain.body) / 2
    assert json.loads(gzip.decompress(short.body)) == plain.json


def test_what_is_short_or_no_text_is_not(web: Any) -> None:
    picture = web.mail.seed(to="bob@example.test", attachments=[("a.png", b"x" * 5000, "image/png")])
    part = web.get(f"/api/v1/message/{picture.id}/part/2", Accept_Encoding="gzip")
    assert (part.body, "content-encoding" in part.headers) == (b"x" * 5000, False)
    assert "content-encoding" not in web.get("/livez", Accept_Encoding="gzip").headers
