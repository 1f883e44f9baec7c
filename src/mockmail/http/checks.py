"""Mailpit's link-check and html-check, offline: no request leaves the machine."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from mockmail.http.api import found_row
from mockmail.http.replies import JSONReply, Refusal, mailpit_route
from mockmail.http.support import FEATURES, PLATFORMS, Feature

__all__ = ["ROUTES", "html_report", "link_report"]

HTML_LIMIT_CHARACTERS = 1_000_000
_STYLES_LIMIT = 20_000


_ADDRESSES = {("img", "src"), ("source", "src"), ("video", "src"), ("audio", "src"), ("link", "href")}


# Bounded work for any input, which html.parser does not promise: it takes seconds for "<p <p <p ...".
_markup = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<style\b(?P<css_attributes>[^<>]*)>(?P<css>.*?)(?:(?=</style)|\Z)"
    r"|<(?P<tag>[a-z][^\s/<>]*)(?P<attributes>(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)",
    re.IGNORECASE | re.DOTALL,
)
_attribute = re.compile(r"([^\s=/\"'<>]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+)))?")


class _Nodes:
    """Elements and attributes by number, and the CSS, and the addresses of pictures and style sheets."""

    def __init__(self, html: str) -> None:
        self.count = 0
        self.tags: dict[str, int] = {}
        self.attributes: dict[str, int] = {}
        self.styles: list[str] = []
        self.urls: dict[str, None] = {}
        for match in _markup.finditer(html):
            if match["css"] is not None:
                self.styles.append(match["css"])
                self._element("style", match["css_attributes"])
            elif match["tag"] is not None:
                self._element(match["tag"].lower(), match["attributes"])

    def _element(self, tag: str, attributes: str) -> None:
        self.count += 1
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for match in _attribute.finditer(attributes):
            name = match[1].lower()
            self.attributes[name] = self.attributes.get(name, 0) + 1
            value = unescape(match[2] or match[3] or match[4] or "").strip()
            if name == "style" and value and len(self.styles) < _STYLES_LIMIT:
                self.styles.append(value)
            if (tag, name) in _ADDRESSES and value.lower().startswith(("http:", "https:", "//")):
                self.urls[value] = None


def _nodes(html: str) -> _Nodes:
    return _Nodes(html[:HTML_LIMIT_CHARACTERS])


def html_report(html: str) -> dict[str, Any]:
    """What Mailpit's html-check tells."""
    nodes = _nodes(html)
    warnings = []
    totals = {"Supported": 0.0, "Partial": 0.0, "Unsupported": 0.0}
    tests = 0
    for feature in FEATURES:
        found = _found(feature, nodes)
        if not found:
            continue
        warning = _warning(feature, found)
        warnings.append(warning)
        tests += 1
        for key in totals:
            totals[key] += warning["Score"][key]
    # What is not in the table is supported everywhere, as far as the table knows.
    share = {key: round(value / tests, 2) for key, value in totals.items()} if tests else {"Supported": 100.0}
    return {
        "Total": {
            "Tests": tests,
            "Nodes": nodes.count,
            "Supported": share["Supported"],
            "Partial": share.get("Partial", 0.0),
            "Unsupported": share.get("Unsupported", 0.0),
        },
        "Platforms": {family: list(platforms) for family, platforms in PLATFORMS.items()},
        "Warnings": sorted(warnings, key=lambda one: -one["Score"]["Unsupported"]),
    }


def _found(feature: Feature, nodes: _Nodes) -> int:
    count = sum(nodes.tags.get(tag, 0) for tag in feature.tags)
    count += sum(nodes.attributes.get(name, 0) for name in feature.attributes)
    if feature.style is not None:
        count += sum(1 for style in nodes.styles if feature.style.search(style))
    return count


def _warning(feature: Feature, found: int) -> dict[str, Any]:
    results = [
        {
            "Name": f"{family.replace('-', ' ').title()} ({platform})",
            "Family": family,
            "Platform": platform,
            "Version": "",
            "Support": feature.support(family, platform),
            "NoteNumber": "1" if feature.note else "",
        }
        for family, platforms in PLATFORMS.items()
        for platform in platforms
    ]
    share = {
        key: round(100 * sum(one["Support"] == word for one in results) / len(results), 2)
        for key, word in (("Supported", "yes"), ("Partial", "partial"), ("Unsupported", "no"))
    }
    return {
        "Slug": feature.slug,
        "Title": feature.title,
        "Category": feature.category,
        "Tags": [],
        "Keywords": "",
        "URL": "",
        "Description": feature.note,
        "Score": {"Found": found, **share},
        "Results": results,
        "NotesByNumber": {"1": feature.note} if feature.note else {},
    }


async def _html_check(request: Request) -> Response:
    _, _, row = await found_row(request)
    if not row.message.html:
        raise Refusal(400, "message does not contain HTML")
    return JSONReply(html_report(row.message.html))


def link_report(links: list[str]) -> dict[str, Any]:
    """Each link with what is wrong with it. None is requested: one that is well formed has the status 0."""
    told = []
    for url in links:
        problem = _problem(url)
        status = f"Bad link: {problem}" if problem else "Not requested"
        told.append({"URL": url, "StatusCode": 400 if problem else 0, "Status": status})
    return {"Errors": sum(one["StatusCode"] == 400 for one in told), "Links": told}


def _problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        return str(error)
    if not host:
        return "it has no host"
    if any(not label or len(label) > 63 for label in host.rstrip(".").split(".")) and ":" not in host:
        return f"{host} is no host name"
    return "it has a space" if " " in url else ""


async def _link_check(request: Request) -> Response:
    _, _, row = await found_row(request)
    message = row.message
    links = dict.fromkeys([*message.links, *_nodes(message.html).urls])
    return JSONReply(link_report(list(links)))


ROUTES = [
    mailpit_route("/api/v1/message/{id}/html-check", _html_check, "GET"),
    mailpit_route("/api/v1/message/{id}/link-check", _link_check, "GET"),
]
