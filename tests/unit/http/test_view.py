"""The HTML of mail, which is foreign, and pictures of attachments."""

import io
from typing import Any

import pytest
from PIL import Image

from support.hostile import with_parts

HOSTILE = '<script>alert(1)</script><img src="cid:pic@x"><img src="https://track.test/x.png"><base href="http://evil">'


def with_picture(web: Any, content: bytes = b"x", html: str = HOSTILE) -> Any:
    body = (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/html\r\n\r\n"
        + html.encode()
        + b"\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + content
        + b"\r\n--b--\r\n"
    )
    return web.mail.seed(body, to="bob@example.test")


def test_html_is_shown_in_a_sandbox_with_its_own_pictures(web: Any) -> None:
    message = with_picture(web)
    answer = web.get(f"//view/{message.id}.html")
    assert answer.status == 200
    policy = {part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split(";")}
    assert "allow-scripts" not in policy["sandbox"]
    assert "allow-same-origin" not in policy["sandbox"]
    assert policy["default-src"] == ["'none'"]
    assert policy["img-src"] == ["data:"]
    # What has no origin may not read the part from us: it is in the page.
    assert '<img src="data:image/png;base64,eA==">' in answer.text
    assert answer.headers["x-dns-prefetch-control"] == "off"
    assert web.get(f"/api/v1/message/{message.id}/part/2").body == b"x"
    remote = web.get(f"/view/{message.id}.html?remote=1").headers["content-security-policy"]
    assert "img-src data: https: http:;" in remote
    assert web.get(f"/api/v1/message/{message.id}").json["Inline"][0]["ContentID"] == "pic@x"


def test_text_and_latest(web: Any) -> None:
    nothing = web.get("/view/latest")
    assert (nothing.status, nothing.headers["location"]) == (302, "/")
    assert web.get("/view/latest.html").status == 404
    message = web.mail.seed(to="bob@example.test", subject="T", text="Hello")
    assert web.get(f"/view/{message.id}.txt").text == "Hello\r\n"
    assert web.get(f"/view/{message.id}.html").status == 404
    latest = web.get("/view/latest?query=subject:T")
    assert (latest.status, latest.headers["location"]) == (302, f"/view/{message.id}.txt")
    assert web.get("/view/latest.txt").text == "Hello\r\n"


def png(size: tuple[int, int], colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "middle"),
    [
        (png((400, 300), "black"), 0),
        (png((10, 10), "black"), 0),
        (b"\x89PNG no picture", 255),
        (b"", 255),
    ],
)
def test_a_thumbnail_is_a_jpeg_of_180_by_120(web: Any, content: bytes, middle: int) -> None:
    message = with_picture(web, content)
    answer = web.get(f"/api/v1/message/{message.id}/part/2/thumb")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.body)) as picture:
        assert picture.size == (180, 120)
        assert abs(picture.convert("L").getpixel((90, 60)) - middle) < 4


def test_html_check_counts_what_is_not_supported(web: Any) -> None:
    html = "<style>@media (x) { p { color: red } }</style><video></video><p style='display:flex'>x</p>"
    message = web.mail.seed(to="bob@example.test", html=html)
    report = web.get(f"/api/v1/message/{message.id}/html-check").json
    assert {"css-media", "html-video", "html-style", "css-display-flex"} == {one["Slug"] for one in report["Warnings"]}
    assert (report["Total"]["Tests"], report["Total"]["Nodes"]) == (4, 3)
    total = sum(report["Total"][key] for key in ("Supported", "Partial", "Unsupported"))
    assert 99.9 < total < 100.1
    plain = web.mail.seed(to="bob@example.test", text="x")
    assert web.get(f"/api/v1/message/{plain.id}/html-check").status == 400


def test_link_check_looks_at_structure_alone(web: Any) -> None:
    html = (
        '<a href="https://app.test/x?a=1&amp;b=2">x</a><a href="http://a..b/">y</a><img src="https://cdn.test/p.png">'
    )
    message = web.mail.seed(to="bob@example.test", html=html)
    report = web.get(f"/api/v1/message/{message.id}/link-check").json
    assert [(one["URL"], one["StatusCode"]) for one in report["Links"]] == [
        ("https://app.test/x?a=1&b=2", 0),
        ("http://a..b/", 400),
        ("https://cdn.test/p.png", 0),
    ]
    assert report["Errors"] == 1


@pytest.mark.parametrize("written", ["cid:pic@x", "CID:PIC@X", "cid:pic%40x", "cid:pic&#64;x"])
def test_a_picture_is_found_however_its_url_is_written(web: Any, written: str) -> None:
    message = with_picture(web, b"x", f"<img src='{written}'><p style='background:url({written})'>")
    text = web.get(f"/view/{message.id}.html").text
    assert text.count("data:image/png;base64,eA==") == 2


def test_what_is_no_picture_is_not_put_into_the_page(web: Any) -> None:
    part = b"Content-Type: text/html\r\nContent-ID: <p@x>\r\n\r\n<script>1</script>"
    message = web.mail.seed(with_parts('<a href="cid:p@x">x</a>', part, kind="related"), to="bob@example.test")
    assert '<a href="cid:p@x">' in web.get(f"/view/{message.id}.html").text


def test_links_of_a_document_are_inert_unless_all_is_asked_for(web: Any) -> None:
    message = web.mail.seed(to="bob@example.test", html="<LINK\nrel=preconnect href=//x.test><linked>")
    assert web.get(f"/view/{message.id}.html").text.startswith("<x-LINK\nrel=preconnect href=//x.test><linked>")
    assert web.get(f"/view/{message.id}.html?remote=1").text.startswith("<LINK")


@pytest.mark.parametrize("tag", ["iframe", "FRAME", "frameset", "object", "embed", "applet", "portal", "fencedframe"])
def test_frames_are_inert_whatever_is_asked_for(web: Any, tag: str) -> None:
    message = web.mail.seed(to="bob@example.test", html=f"<{tag}\tsrc=//x.test></{tag}><{tag}s>")
    for query in ("", "?remote=1"):
        text = web.get(f"/view/{message.id}.html{query}").text
        assert text.startswith(f"<x-{tag}\tsrc=//x.test></{tag}><{tag}s>")
