"""SASLprep (RFC 4013): the form in which names and passwords are compared."""

from __future__ import annotations

__all__ = ["Unpreparable", "saslprep"]


class Unpreparable(ValueError):
    """The text has a character that SASLprep forbids. Nothing of the text is told: it may be a password."""


def saslprep(text: str, *, stored: bool) -> str:
    """Prepare ``text``; ``stored`` strings may have no characters unassigned in Unicode 3.2, queries may.

    Raises :class:`Unpreparable`, also when nothing is left of the text.
    """
    prepared = text if text.isascii() else _mapped(text)
    if not prepared:
        raise Unpreparable("nothing is left of it")
    if prepared.isascii():
        if any(char < " " or char == "\x7f" for char in prepared):
            raise Unpreparable("it has a control character")
        return prepared
    _check(prepared, stored=stored)
    return prepared


def _mapped(text: str) -> str:
    """Sections 2.1 and 2.2."""
    import stringprep
    import unicodedata

    # U+200B is in both tables; what is commonly mapped to nothing goes first.
    kept = (char for char in text if not stringprep.in_table_b1(char))
    mapped = "".join(" " if stringprep.in_table_c12(char) else char for char in kept)
    return unicodedata.ucd_3_2_0.normalize("NFKC", mapped)


def _check(prepared: str, *, stored: bool) -> None:
    """Sections 2.3 to 2.5."""
    import stringprep as tables

    forbidden = (
        tables.in_table_c12,
        tables.in_table_c21_c22,
        tables.in_table_c3,
        tables.in_table_c4,
        tables.in_table_c5,
        tables.in_table_c6,
        tables.in_table_c7,
        tables.in_table_c8,
        tables.in_table_c9,
    )
    for char in prepared:
        if any(is_in(char) for is_in in forbidden):
            raise Unpreparable("it has a forbidden character")
        if stored and tables.in_table_a1(char):
            raise Unpreparable("it has a character that Unicode 3.2 does not know")
    if any(tables.in_table_d1(char) for char in prepared):
        # RFC 3454 section 6: text from right to left stands alone, and at both ends.
        if any(tables.in_table_d2(char) for char in prepared):
            raise Unpreparable("it mixes letters from right to left with letters from left to right")
        if not (tables.in_table_d1(prepared[0]) and tables.in_table_d1(prepared[-1])):
            raise Unpreparable("it goes from right to left, but does not begin and end so")
