"""The mail page as files: what is served, under which policy, and how much of it there is."""

import gzip
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

STATIC = files("mockmail.http") / "static"
NAMES = sorted(one.name for one in STATIC.iterdir() if one.is_file())
FIRST_PAINT_LIMIT_BYTES = 100_000
_static_import = re.compile(r'^import .*? from "\./([a-z]+\.js)";$', re.MULTILINE)
_static_export = re.compile(r'^export .*? from "\./([a-z]+\.js)";$', re.MULTILINE)
_any_import = re.compile(r'(?:from|import\()\s*"\./([^"]+)"')


def text_of(name: str) -> str:
    return (STATIC / name).read_text("utf-8")


def first_paint() -> set[str]:
    """What the browser fetches before it shows mail: the page, what it names, and the modules that these import."""
    named = re.findall(r'<(?:script|link)(?! rel="modulepreload")[^>]*"/static/([^"]+)"', text_of("index.html"))
    wanted, found = {"index.html", *named}, set[str]()
    while wanted:
        name = wanted.pop()
        found.add(name)
        if name.endswith(".js"):
            text = text_of(name)
            wanted |= {*_static_import.findall(text), *_static_export.findall(text)} - found
    return found


def policy_of(answer: Any) -> dict[str, list[str]]:
    directives = [one.split() for one in answer.headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in directives}


def test_the_page_is_at_the_root(web: Any) -> None:
    page = web.get("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text == text_of("index.html")


@pytest.mark.parametrize("path", ["/", *(f"/static/{name}" for name in NAMES)])
def test_nothing_but_our_own_files_may_run_or_be_fetched(web: Any, path: str) -> None:
    answer = web.get(path)
    policy = policy_of(answer)
    assert answer.status == 200
    assert (
        policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
    )
    for kind in ("script-src", "style-src", "connect-src", "frame-src"):
        assert policy[kind] == ["'self'"]
    assert {source for sources in policy.values() for source in sources} == {"'none'", "'self'", "data:"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_types_are_those_that_browsers_run(web: Any) -> None:
    types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}
    for name in NAMES:
        assert web.get(f"/static/{name}").headers["content-type"].split(";")[0] == types[name.rpartition(".")[2]]
    icon = web.get("/favicon.ico")
    assert (icon.headers["content-type"], icon.text) == ("image/svg+xml", text_of("icon.svg"))


def test_files_are_asked_for_each_time_and_sent_when_they_differ(web: Any) -> None:
    first = web.get("/static/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = web.get("/static/app.js", If_None_Match=first.headers["etag"])
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-security-policy" in again.headers
    assert web.get("/static/app.js", If_None_Match='"other"').status == 200
    assert web.get("/static/app.css").headers["etag"] != first.headers["etag"]


def test_files_are_sent_compressed_to_who_takes_it(web: Any) -> None:
    packed = web.get("/static/app.js", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body).decode() == text_of("app.js")
    assert len(packed.body) < len(text_of("app.js")) / 2


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/nothing.js",
        "/static/../pages.py",
        "/static/..%2fpages.py",
        "/static/%2e%2e%2fpages.py",
        "/static/..%5cpages.py",
        "/static/%2fetc%2fpasswd",
        "/static/.hidden.js",
        "/static/app.js%00",
        "/static/app.py",
        "/static/sub/app.js",
    ],
)
def test_no_other_file_is_reached(web: Any, path: str) -> None:
    answer = web.get(path)
    assert (answer.status, b"import" in answer.body) == (404, False)


def test_only_get_and_head(web: Any) -> None:
    assert web("POST", "/", {}).status == 405
    assert web("DELETE", "/static/app.js").status == 405
    head = web("HEAD", "/")
    assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", (len(text_of("index.html"))))


def test_a_link_from_elsewhere_opens_the_page_but_no_other_page_embeds_its_files(web: Any) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert web.get("/", **followed).status == 200
    assert web.get("/static/app.js", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert web.get("/static/app.js").headers["cross-origin-resource-policy"] == "same-origin"
    assert web.get("/", Host="evil.test").status == 403


def test_the_page_asks_for_the_login_that_is_set(serve: Any) -> None:
    web = serve(http_auth="dev:secret")
    assert web.get("/").status == web.get("/static/app.js").status == 401
    assert web.get("/", Authorization="Basic ZGV2OnNlY3JldA==").status == 200


def test_what_is_needed_before_mail_is_shown_is_small() -> None:
    names = first_paint()
    assert {"index.html", "app.js", "app.css", "list.js"} <= names
    assert sum(len(text_of(name).encode()) for name in names) < FIRST_PAINT_LIMIT_BYTES


def test_the_page_names_each_module_it_needs_first_so_that_they_come_at_once() -> None:
    modules = {name for name in first_paint() if name.endswith(".js")} - {"app.js", "theme.js"}
    assert set(re.findall(r'<link rel="modulepreload" href="/static/([^"]+)"', text_of("index.html"))) == modules
    assert not {"compose.js", "move.js", "panels.js"} & modules


def test_modules_import_what_there_is_and_nothing_from_elsewhere() -> None:
    for name in NAMES:
        text = text_of(name)
        assert set(_any_import.findall(text)) <= set(NAMES)
        # The namespace of SVG is a name, and fetched by nobody.
        assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_mail_is_never_read_as_html_by_the_page() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc"
    )
    for name in NAMES:
        assert not forbidden.search(text_of(name)), name
    # Nor is there anything that the policy would refuse.
    page = text_of("index.html")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>|javascript:", page)


def test_the_html_of_mail_is_shown_in_a_frame_without_scripts_and_without_our_origin() -> None:
    sandboxes = [one for name in NAMES for one in re.findall(r'sandbox: "([^"]*)"', text_of(name))]
    assert sandboxes
    for sandbox in sandboxes:
        assert not {"allow-scripts", "allow-same-origin", "allow-top-navigation", "allow-forms"} & set(sandbox.split())


def test_the_documented_keys_are_those_of_the_help() -> None:
    text = (Path(__file__).parents[3] / "docs" / "web-page.md").read_text("utf-8")
    documented = [
        (keys.replace("`", ""), what) for keys, what in re.findall(r"^\| (`.*?) \| (.*?) \|$", text, re.MULTILINE)
    ]
    told = re.findall(
        r'\["([^"]+)", "([^"]+)"\]', text_of("keys.js").partition("const KEYS = [")[2].partition("\n];")[0]
    )
    assert len(told) > 15
    assert documented == told
