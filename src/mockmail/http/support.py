"""What of HTML and CSS well-known mail programs do not show, or show in part: a table of our own, for html-check.

Each row: how it is known, its title, what it is found by, and the families that do not (``n``) or only partly (``p``)
support it. All others are taken to support it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["FEATURES", "PLATFORMS", "Feature"]

PLATFORMS = {
    "apple-mail": ("macos", "ios"),
    "gmail": ("desktop-webmail", "ios", "android"),
    "outlook": ("windows", "windows-mail", "macos", "outlook-com", "ios", "android"),
    "samsung-email": ("android",),
    "thunderbird": ("macos",),
    "yahoo": ("desktop-webmail", "ios", "android"),
}
"""Families of mail programs, and where they run."""

_WORD = "outlook.windows"
"""Outlook for Windows, which shows HTML as Word does."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One row."""

    slug: str
    title: str
    category: str
    """``"css"`` or ``"html"``."""
    tags: frozenset[str] = frozenset()
    """HTML elements that are it."""
    attributes: frozenset[str] = frozenset()
    """HTML attributes that are it."""
    style: re.Pattern[str] | None = None
    """What is searched for in CSS."""
    unsupported: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    note: str = field(default="")

    def support(self, family: str, platform: str) -> str:
        """``"yes"``, ``"partial"`` or ``"no"``."""
        names = {family, f"{family}.{platform}"}
        if names & self.unsupported:
            return "no"
        return "partial" if names & self.partial else "yes"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _css(name: str, pattern: str, unsupported: str, partial: str = "", note: str = "") -> Feature:
    slug = "css-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    style = re.compile(pattern, re.IGNORECASE)
    return Feature(slug, name, "css", style=style, unsupported=_set(unsupported), partial=_set(partial), note=note)


def _property(name: str, unsupported: str, partial: str = "", note: str = "") -> Feature:
    return _css(name, rf"(?<![\w-]){re.escape(name)}\s*:", unsupported, partial, note)


def _html(tags: str, unsupported: str, partial: str = "", note: str = "") -> Feature:
    first = tags.split(maxsplit=1)[0]
    return Feature(
        f"html-{first}", f"<{first}> element", "html", tags=_set(tags), unsupported=_set(unsupported),
        partial=_set(partial), note=note,
    )  # fmt: skip


FEATURES: tuple[Feature, ...] = (
    _html("script", "apple-mail gmail outlook samsung-email thunderbird yahoo", note="Script is taken out everywhere."),
    _html("iframe", "gmail outlook samsung-email thunderbird yahoo", "apple-mail"),
    _html("object embed applet", "apple-mail gmail outlook samsung-email thunderbird yahoo"),
    _html("form input button select textarea", f"{_WORD} outlook.outlook-com samsung-email", "gmail yahoo"),
    _html("video", "gmail outlook yahoo thunderbird", "apple-mail samsung-email"),
    _html("audio", "gmail outlook yahoo thunderbird", "apple-mail samsung-email"),
    _html("svg", "gmail outlook yahoo", "samsung-email"),
    _html("canvas", "apple-mail gmail outlook samsung-email thunderbird yahoo"),
    _html("link", "gmail outlook yahoo samsung-email", note="Style sheets of their own are not fetched."),
    _html("style", "", "gmail outlook.outlook-com yahoo", "Parts of it are taken out; write styles on the elements."),
    _html("base", "gmail outlook yahoo samsung-email"),
    _html("picture source", f"{_WORD} gmail yahoo", "samsung-email"),
    _html("dialog", "gmail outlook yahoo samsung-email"),
    _html("meter progress", f"gmail {_WORD} yahoo"),
    _html("marquee", "gmail outlook.outlook-com yahoo"),
    _html("article section header footer main nav aside", "", f"{_WORD} gmail yahoo"),
    Feature(
        "html-srcset",
        "srcset attribute",
        "html",
        attributes=_set("srcset sizes"),
        unsupported=_set(f"{_WORD} gmail yahoo samsung-email"),
    ),
    Feature("html-role", "role attribute", "html", attributes=_set("role"), partial=_set("gmail yahoo outlook")),
    _css("@import", r"@import\b", "gmail outlook yahoo samsung-email"),
    _css("@font-face", r"@font-face\b", "gmail outlook.outlook-com yahoo", _WORD),
    _css("@media", r"@media\b", f"{_WORD} outlook.windows-mail", "gmail yahoo outlook.outlook-com"),
    _css("@keyframes", r"@keyframes\b", f"{_WORD} outlook.windows-mail gmail yahoo"),
    _css("@supports", r"@supports\b", f"gmail {_WORD} yahoo"),
    _css("CSS variables", r"var\(\s*--", f"gmail {_WORD} outlook.outlook-com yahoo"),
    _css("calc() function", r"calc\(", f"{_WORD} outlook.windows-mail", "yahoo"),
    _css("clamp() function", r"clamp\(", f"{_WORD} gmail yahoo"),
    _css("linear-gradient()", r"linear-gradient\(", f"{_WORD} outlook.windows-mail", "gmail"),
    _css("display: flex", r"display\s*:\s*(?:inline-)?flex", f"{_WORD} outlook.windows-mail", "gmail yahoo"),
    _css("display: grid", r"display\s*:\s*(?:inline-)?grid", f"{_WORD} outlook.windows-mail gmail yahoo", "outlook"),
    _css(":hover pseudo-class", r":hover\b", _WORD, "gmail outlook.outlook-com"),
    _css("::before and ::after", r"::?(?:before|after)\b", f"gmail {_WORD} yahoo"),
    _css("rem unit", r"\d\s*rem\b", f"{_WORD} outlook.windows-mail"),
    _css("vw and vh units", r"\d\s*v[wh]\b", f"{_WORD} outlook.windows-mail", "gmail"),
    _property("animation", f"{_WORD} outlook.windows-mail gmail yahoo"),
    _property("aspect-ratio", f"gmail {_WORD} yahoo"),
    _property("background-image", "outlook.windows-mail", f"{_WORD} gmail"),
    _property("background-size", f"{_WORD} outlook.windows-mail", "gmail yahoo"),
    _property("border-radius", f"{_WORD} outlook.windows-mail"),
    _property("box-shadow", f"{_WORD} outlook.windows-mail", "gmail yahoo"),
    _property("clip-path", f"gmail {_WORD} yahoo"),
    _property("filter", f"gmail {_WORD} yahoo"),
    _property("float", "", _WORD),
    _property("gap", f"{_WORD} gmail yahoo"),
    _property("letter-spacing", "", _WORD),
    _property("margin", "", f"{_WORD} outlook.outlook-com"),
    _property("max-width", f"{_WORD} outlook.windows-mail"),
    _property("min-width", _WORD),
    _property("max-height", f"{_WORD} outlook.windows-mail"),
    _property("object-fit", f"{_WORD} gmail yahoo"),
    _property("opacity", f"{_WORD} outlook.windows-mail", "gmail"),
    _property("overflow", f"{_WORD} outlook.windows-mail"),
    _property("position", f"gmail {_WORD} outlook.outlook-com yahoo"),
    _property("text-shadow", f"{_WORD} outlook.windows-mail", "gmail"),
    _property("transform", f"{_WORD} outlook.windows-mail gmail yahoo"),
    _property("transition", f"{_WORD} outlook.windows-mail gmail yahoo"),
    _property("z-index", f"gmail {_WORD} outlook.outlook-com yahoo"),
)
