"""What the tests of IMAP's grammar share."""

import pytest

from mockmail.imap.framing import Continuation, Framer, Limits, RawCommand
from mockmail.imap.parsing import parse
from mockmail.imap.tokens import Reader


def _frame(data: bytes, **options) -> RawCommand:
    framer = Framer(Limits(**options), literal_plus=True, literal8=True)
    framer.feed(data + b"\r\n")
    while isinstance(event := framer.next(), Continuation):
        pass
    assert isinstance(event, RawCommand), event
    return event


@pytest.fixture
def frame():
    """Bytes of one command -> RawCommand; without its line end; literals go without waiting."""
    return _frame


@pytest.fixture
def command():
    """Bytes of one command without its line end -> its value."""
    return lambda data, *arguments, **options: parse(_frame(data), *arguments, **options)


@pytest.fixture
def reader():
    """Bytes of one line without its end -> Reader."""
    return lambda data, **options: Reader(_frame(data), **options)
