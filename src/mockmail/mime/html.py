"""What a reader of an HTML body sees, and where its links lead. Forgiving, as browsers are; never raises.

The tokenizer is our own: ``html.parser`` takes quadratic time for unfinished tags and reads ``?a=1&section=2`` in a
target as a section sign, both depending on the version of Python. Here the time is linear.
"""

from __future__ import annotations

import re
from html import unescape

__all__ = ["Anchor", "Page", "read_html"]

Anchor = tuple[str, str]
"""Target (``href``, unescaped) and visible text of one ``<a>`` or ``<area>``."""

_RAW_TEXT = frozenset({"script", "style", "title", "iframe", "noembed", "noframes", "xmp"})
_UNSEEN = frozenset({"head", "template", "object"})
# fmt: off
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main",
    "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
})
# fmt: on

_spaces = re.compile(r"[ \t\r\n\f]+")
_tag_name = re.compile(r"<(/?)([A-Za-z][^\s/>]*)").match
_attribute = re.compile(r"[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)(?:\"|\Z)|'([^']*)(?:'|\Z)|([^\s>]*)))?").match
_tag_end = re.compile(r"[\s/]*>").match
# In a target a reference without its semicolon is text, except for numbers.
_reference = re.compile(r"&(?:#[0-9]{1,8};?|#[xX][0-9a-fA-F]{1,8};?|[A-Za-z][A-Za-z0-9]{0,40};)")


class Page:
    """Text as shown, a line for each block, and anchors in order."""

    __slots__ = ("anchors", "text")

    def __init__(self, text: str, anchors: list[Anchor]) -> None:
        self.text = text
        self.anchors = anchors


def read_html(html: str) -> Page:
    """Visible text and anchors of ``html``."""
    return _Reader(html).read()


class _Reader:
    __slots__ = ("anchors", "depth", "html", "label", "pieces", "preformatted", "target", "unseen")

    def __init__(self, html: str) -> None:
        self.html = html
        self.pieces: list[str] = []
        self.anchors: list[Anchor] = []
        self.target: str | None = None
        self.label: list[str] = []
        self.unseen: str | None = None
        self.depth = 0
        self.preformatted = 0

    def read(self) -> Page:
        html = self.html
        at, size = 0, len(html)
        while at < size:
            start = html.find("<", at)
            if start < 0:
                start = size
            if start > at:
                self._text(html[at:start])
            if start == size:
                break
            at = self._markup(start)
        self._close_anchor()
        lines = [_spaces.sub(" ", line).strip(" ") for line in "".join(self.pieces).split("\n")]
        return Page("\n".join([line for line in lines if line]), self.anchors)

    def _markup(self, start: int) -> int:
        """Take the markup that begins at ``start``; where what follows it begins. What is unfinished at the end of the
        document is dropped, as browsers do."""
        html = self.html
        size = len(html)
        if html.startswith("<!--", start):
            stop = html.find("-->", start + 2)
            return size if stop < 0 else stop + 3
        if html.startswith(("<!", "<?"), start):
            stop = html.find(">", start)
            return size if stop < 0 else stop + 1
        tag = _tag_name(html, start)
        if tag is None:
            self._text("<")
            return start + 1
        name = tag[2].lower()
        attributes: dict[str, str] = {}
        at = tag.end()
        while not (end := _tag_end(html, at)):
            attribute = _attribute(html, at)
            if attribute is None:
                return size
            key, quoted, apostrophed, bare = attribute.groups()
            attributes.setdefault(key.lower(), quoted or apostrophed or bare or "")
            at = attribute.end()
        at = end.end()
        if tag[1]:
            self._end(name)
            return at
        if name in _RAW_TEXT:
            closing = re.compile(f"</{name}", re.IGNORECASE).search(html, at)
            return size if closing is None else closing.start()
        self._start(name, attributes)
        return at

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self.unseen is None and name in _UNSEEN:
            self.unseen, self.depth = name, 1
        elif name == self.unseen:
            self.depth += 1
        elif name == "body":
            self.unseen = None  # a head that is never closed ends here
        if name == "a":
            self._close_anchor()
            if "href" in attributes:
                self.target = _target(attributes["href"])
        elif name == "area" and "href" in attributes:
            self.anchors.append((_target(attributes["href"]), unescape(attributes.get("alt", ""))))
        elif name == "img":
            self._text(attributes.get("alt", ""))
        elif name == "br":
            self._show("\n")
        elif name in {"td", "th"}:
            self._show(" ")
        if name in _BLOCKS:
            self._show("\n")
            self.preformatted += name == "pre"

    def _end(self, name: str) -> None:
        if name == self.unseen:
            self.depth -= 1
            if not self.depth:
                self.unseen = None
        elif name == "a":
            self._close_anchor()
        elif name in _BLOCKS:
            self._show("\n")
            if name == "pre" and self.preformatted:
                self.preformatted -= 1

    def _text(self, source: str) -> None:
        text = unescape(source) if "&" in source else source
        self._show(text if self.preformatted else _spaces.sub(" ", text))

    def _show(self, text: str) -> None:
        if self.unseen is None:
            self.pieces.append(text)
            if self.target is not None:
                self.label.append(text)

    def _close_anchor(self) -> None:
        if self.target is not None:
            self.anchors.append((self.target, " ".join("".join(self.label).split())))
        self.target = None
        self.label = []


def _target(source: str) -> str:
    return _reference.sub(lambda match: unescape(match[0]), source) if "&" in source else source
