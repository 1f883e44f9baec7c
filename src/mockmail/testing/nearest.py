"""The candidate that came nearest to what was asked for, and in what it differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher, ndiff
from typing import Any, TypeVar

from mockmail.testing.expect import Query
from mockmail.testing.matching import Test

__all__ = ["close", "nearest_miss", "similarity"]

E = TypeVar("E")

_EXAMINED = 50
_COMPARED_CHARACTERS = 300
_NEAR = 0.5
_SHOWN_LINES = 8
_NOTHING = {"tls": "no TLS", "flag": "no flags", "to": "nobody"}


def nearest_miss(query: Query[E, Any], candidates: Sequence[E]) -> tuple[E, list[str]] | None:
    """Of the newest candidates that do not fit, the one with the fewest and smallest differences, and lines that tell
    them; ``None`` without candidates or criteria."""
    if not query.tests and query.where is None:
        return None
    best: tuple[tuple[int, float], E, list[Test[E]]] | None = None
    for candidate in candidates[-_EXAMINED:]:
        failed = [test for test in query.tests if not test.passes(candidate)]
        if not failed and query.fits(candidate):
            continue
        likeness = sum(similarity(test.wanted, test.actual(candidate)) for test in failed)
        rank = (-len(failed), likeness)
        if best is None or rank >= best[0]:
            best = rank, candidate, failed
    if best is None:
        return None
    _, candidate, failed = best
    if not failed:
        return candidate, ["  all criteria fit but where: the function said no"]
    lines = [line for test in failed for line in difference(test, candidate)]
    fitting_labels = [test.label for test in query.tests if test not in failed]
    if fitting_labels:
        lines.append(f"  the rest fits: {', '.join(fitting_labels)}")
    return candidate, lines


def difference(test: Test[E], candidate: E) -> Iterator[str]:
    """Lines that tell how ``candidate`` fails ``test``: both values, and a diff when they are near."""
    from mockmail.testing.explain import shown

    actual = test.actual(candidate)
    yield f"  {test.label} differs:"
    if test.wanted is None:
        yield "    expected  absent"
    else:
        yield f"    expected  {shown(test.wanted)}{' in the body' if test.label == 'body' else ''}"
    if test.label == "body":
        yield from _body_difference(test.wanted, [text for text in actual if text])
        return
    values = _strings(actual)
    if actual is None or actual in ((), [], frozenset()):
        yield f"    was       {_NOTHING.get(test.label, 'absent')}"
        return
    yield f"    was       {shown(_plain(test.label, actual))}"
    for wanted in _wanted_strings(test.wanted):
        near = close(wanted, values)
        if near is not None and wanted != near:
            yield from _diff(wanted, near)
    if isinstance(test.wanted, re.Pattern):
        yield from _pattern_note(test.wanted, values)


def _plain(label: str, actual: Any) -> Any:
    """From is tested as address and as field; one is shown when they are the same. One value needs no brackets."""
    if label == "from_" and isinstance(actual, tuple):
        return actual[0] if actual[0] == actual[1] else actual[1]
    if isinstance(actual, (tuple, list, frozenset, set)) and len(actual) == 1:
        return next(iter(actual))
    return sorted(actual) if isinstance(actual, (frozenset, set)) else actual


def _strings(actual: Any) -> list[str]:
    if isinstance(actual, str):
        return [actual]
    if isinstance(actual, Iterable):
        return [one for one in actual if isinstance(one, str)]
    return []


def _wanted_strings(wanted: Any) -> list[str]:
    return _strings(wanted)


def similarity(wanted: Any, actual: Any) -> float:
    """From 0 to 1, for the nearest pair of strings in both."""
    return max(
        (_ratio(one, other) for one in _wanted_strings(wanted) for other in _strings(actual)),
        default=0.0,
    )


def _ratio(wanted: str, actual: str) -> float:
    wanted, actual = wanted[:_COMPARED_CHARACTERS].casefold(), actual[:_COMPARED_CHARACTERS].casefold()
    return SequenceMatcher(None, wanted, actual, autojunk=False).ratio()


def close(wanted: str, values: Iterable[str]) -> str | None:
    """The value nearest to ``wanted``, if any is near."""
    rated = [(_ratio(wanted, value), value) for value in values]
    best = max(rated, default=None)
    return best[1] if best is not None and best[0] >= _NEAR else None


def _diff(wanted: str, actual: str) -> Iterator[str]:
    if wanted.casefold() == actual.casefold():
        yield "    (they differ only in case)"
    elif wanted.split() == actual.split():
        yield "    (they differ only in white space)"
    if "\n" in wanted or "\n" in actual or max(len(wanted), len(actual)) > _COMPARED_CHARACTERS:
        return
    lines = list(ndiff([wanted], [actual]))
    # Without a line of marks the two are too unlike for a diff to say more than the values do.
    if any(line.startswith("?") for line in lines):
        yield from (f"    {line.rstrip()}" for line in lines)


def _pattern_note(wanted: re.Pattern[str], values: Iterable[str]) -> Iterator[str]:
    if not wanted.flags & re.IGNORECASE:
        insensitive = re.compile(wanted.pattern, wanted.flags | re.IGNORECASE)
        if any(insensitive.search(value) for value in values):
            yield "    (it would match with re.IGNORECASE)"


def _body_difference(wanted: Any, texts: list[str]) -> Iterator[str]:
    if not texts:
        yield "    was       empty"
        return
    if isinstance(wanted, re.Pattern):
        yield from _pattern_note(wanted, texts)
    else:
        if any(wanted.casefold() in text.casefold() for text in texts):
            yield "    (they differ only in case)"
        elif any(" ".join(wanted.split()) in " ".join(text.split()) for text in texts):
            yield "    (they differ only in white space or line ends)"
        near = close(wanted, _windows(wanted, texts))
        if near is not None:
            yield f"    nearest   {near!r}"
            yield from _diff(wanted, near)
            return
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    yield from (f"    was       {line[:_COMPARED_CHARACTERS]}" for line in lines[:_SHOWN_LINES])
    if len(lines) > _SHOWN_LINES:
        yield f"    ... {len(lines) - _SHOWN_LINES} more lines"


def _windows(wanted: str, texts: Iterable[str]) -> Iterator[str]:
    """Pieces of the lines about as long as ``wanted``, beginning at words."""
    length = len(wanted)
    examined = 0
    for text in texts:
        for line in text.splitlines():
            if len(line) <= length:
                yield line
                continue
            for match in re.finditer(r"\S+", line):
                yield line[match.start() : match.start() + length]
                examined += 1
                if examined > 500:
                    return
