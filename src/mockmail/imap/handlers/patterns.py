"""Patterns of LIST and LSUB (RFC 3501 section 6.3.8), matched in time linear in the name whatever the pattern."""

from __future__ import annotations

import re

from mockmail.core.accounts import DELIMITER, INBOX, NAME_LIMIT

__all__ = ["Pattern"]

_WILDCARDS = re.compile(r"[%*]{2,}")


class Pattern:
    """Compiled once for a command. ``*`` stands for anything, ``%`` for anything but the delimiter."""

    __slots__ = ("_anything", "_last", "_letters", "_level", "_plain", "ends_in_percent", "inbox")

    def __init__(self, pattern: str) -> None:
        self.ends_in_percent = pattern.endswith("%")
        # Neighbours count as one: "%*" reaches as far as "*".
        pattern = _WILDCARDS.sub(lambda run: "*" if "*" in run[0] else "%", pattern)
        if pattern[:5].upper() == INBOX and (len(pattern) == 5 or pattern[5] in f"{DELIMITER}%*"):
            pattern = INBOX + pattern[5:]
        self._plain = pattern if "*" not in pattern and "%" not in pattern else None
        # Bit i of a set of states says that the first i letters of the pattern have been matched.
        self._letters: dict[str, int] = {}
        self._anything = self._level = 0
        count = 0
        for char in pattern[: 2 * NAME_LIMIT + 2]:
            if char == "*":
                self._anything |= 1 << count
            elif char == "%":
                self._level |= 1 << count
            else:
                self._letters[char] = self._letters.get(char, 0) | 1 << count
                count += 1
        self._last = 1 << count
        self.inbox = self._plain is None and _is_inbox(pattern)
        """Whether a pattern with wildcards matches INBOX, in any case of letters."""

    def matches(self, name: str) -> bool:
        """Whether a mailbox name matches as a whole."""
        if self._plain is not None:
            return name == self._plain
        if name == INBOX and self.inbox:
            return True
        letters, anything, level = self._letters, self._anything, self._level
        states = 1
        for char in name:
            stays = states & anything
            if char != DELIMITER:
                stays |= states & level
            states = (states & letters.get(char, 0)) << 1 | stays
            if not states:
                return False
        return bool(states & self._last)


def _is_inbox(pattern: str) -> bool:
    upper = pattern.upper()
    return len(upper) <= 2 * len(INBOX) + 1 and upper != pattern and Pattern(upper).matches(INBOX)
