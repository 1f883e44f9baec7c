"""Sequence sets (RFC 3501 section 9): parsed once, resolved against what a mailbox holds, never counted through."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from mockmail.records import record

__all__ = ["MAX_NUMBER", "Ranges", "SequenceSet", "contains", "count", "render", "slices"]

MAX_NUMBER = 2**32 - 1
"""Numbers and UIDs are unsigned 32-bit integers."""

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Ascending, disjoint, not adjacent; both ends belong to a range."""

# sequence-set = (seq-number / seq-range) *("," sequence-set)
# seq-range    = seq-number ":" seq-number
# seq-number   = nz-number / "*"
_ITEM = re.compile(rb"([1-9][0-9]{0,9}|\*)(?::([1-9][0-9]{0,9}|\*))?\Z")


@record
class SequenceSet:
    """A set of message numbers or UIDs as a client wrote it, normalised; the order it was written in is lost."""

    ranges: Ranges
    """All that does not depend on ``*``."""
    star_from: int | None = None
    """``n`` of the widest ``n:*`` in it (``MAX_NUMBER + 1`` for a mere ``*``), or ``None`` without ``*``."""

    @classmethod
    def parse(cls, text: bytes) -> SequenceSet:
        """``ValueError``, with a sentence, for what is not a sequence set."""
        finite: list[tuple[int, int]] = []
        star: int | None = None
        for item in text.split(b","):
            found = _ITEM.match(item)
            if found is None:
                raise ValueError(f"{_shown(item)} is not a number, '*' or a range such as 2:4 in a sequence set")
            first, last = found[1], found[2] or found[1]
            if first == b"*" or last == b"*":
                numbers = [_number(end) for end in (first, last) if end != b"*"]
                star = min([MAX_NUMBER + 1 if star is None else star, *numbers])
            else:
                low, high = _number(first), _number(last)
                finite.append((low, high) if low <= high else (high, low))
        return cls(_normalised(finite), star)

    @classmethod
    def of(cls, *numbers: int) -> SequenceSet:
        """The set of these numbers."""
        return cls(_normalised([(number, number) for number in numbers]))

    def resolve(self, maximum: int) -> Ranges:
        """The set where ``*`` is ``maximum``: the number of messages, or the highest UID; 0 when there is none, and
        ``*`` then stands for nothing. ``5:*`` where ``maximum`` is 3 is 3. Finite numbers past ``maximum`` stay."""
        if self.star_from is None or maximum <= 0:
            return self.ranges
        return _normalised([*self.ranges, (min(self.star_from, maximum), maximum)])

    def exceeds(self, maximum: int) -> bool:
        """Whether a number is named that is larger than ``maximum``, or ``*`` where there is no message: for message
        sequence numbers (not for UIDs) that is a BAD (RFC 3501 section 9, seq-number)."""
        if self.ranges and self.ranges[-1][1] > maximum:
            return True
        return self.star_from is not None and maximum <= 0

    def select(self, uids: Sequence[int]) -> list[int]:
        """Those of ``uids`` (ascending) that are in the set; ``*`` is the last of them."""
        return [uid for start, stop in self.slices(uids) for uid in uids[start:stop]]

    def slices(self, uids: Sequence[int]) -> list[tuple[int, int]]:
        """The set as index ranges ``[start, stop)`` of ``uids`` (ascending), ascending and disjoint."""
        return slices(self.resolve(uids[-1] if uids else 0), uids)

    def __str__(self) -> str:
        """The shortest form of it."""
        parts = [render_ranges(self.ranges)] if self.ranges else []
        if self.star_from is not None:
            parts.append("*" if self.star_from > MAX_NUMBER else f"{self.star_from}:*")
        return ",".join(parts)


def slices(ranges: Ranges, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """``ranges`` as non-empty index ranges ``[start, stop)`` of ``numbers`` (ascending): one bisection for each end
    of a range, however wide the range."""
    found: list[tuple[int, int]] = []
    at = 0
    for low, high in ranges:
        start = bisect_left(numbers, low, at)
        at = bisect_right(numbers, high, start)
        if at > start:
            found.append((start, at))
    return found


def contains(ranges: Ranges, number: int) -> bool:
    """Whether ``number`` is in one of ``ranges``."""
    index = bisect_right(ranges, (number, MAX_NUMBER + 1)) - 1
    return index >= 0 and ranges[index][1] >= number


def count(ranges: Ranges) -> int:
    """How many numbers ``ranges`` hold."""
    return sum(high - low + 1 for low, high in ranges)


def render(numbers: Iterable[int]) -> str:
    """Ascending numbers in compact form, in the order given: ``1,3,4,5`` is ``1,3:5``."""
    ranges: list[tuple[int, int]] = []
    first = last = -1
    for number in numbers:
        if number == last + 1 and first >= 0:
            last = number
            continue
        if first >= 0:
            ranges.append((first, last))
        first = last = number
    if first >= 0:
        ranges.append((first, last))
    return render_ranges(ranges)


def render_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ranges)


def _normalised(ranges: list[tuple[int, int]]) -> Ranges:
    if len(ranges) < 2:
        return tuple(ranges)
    merged: list[tuple[int, int]] = []
    low, high = -1, -2
    for start, stop in sorted(ranges):
        if start <= high + 1 and low >= 0:
            high = max(high, stop)
            continue
        if low >= 0:
            merged.append((low, high))
        low, high = start, stop
    merged.append((low, high))
    return tuple(merged)


def _number(digits: bytes) -> int:
    number = int(digits)
    if number > MAX_NUMBER:
        raise ValueError(f"{number} is larger than {MAX_NUMBER}, the largest number in a sequence set")
    return number


def _shown(item: bytes) -> str:
    return repr(item[:30])[1:]
