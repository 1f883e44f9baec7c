"""Programs that hand their mail to a sendmail, which is ``mockmail send`` here."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mockmail import MockMail

BOB = "bob@example.test"


@pytest.fixture
def sendmail(tmp_path: Path) -> Path:
    """A program of that name."""
    path = tmp_path / "sendmail"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mockmail send "$@"\n')
    path.chmod(0o755)
    return path


def test_s_nail_sends_by_sendmail(mockmail: MockMail, program: Callable, sendmail: Path, tmp_path: Path) -> None:
    attached = tmp_path / "a.bin"
    attached.write_bytes(bytes(range(256)))
    program("s-nail")(
        "-n", "-S", "v15-compat", "-S", f"mta={sendmail}", "-r", "eve@else.test", "-s", "From s-nail",
        "-c", "ann@example.test", "-b", "dan@example.test", "-a", attached, BOB,
        stdin=b"First.\n.\nAfter the dot.\n", MOCKMAIL_SMTP_URL=mockmail.smtp.url,
    )  # fmt: skip
    message = mockmail.assert_delivered(to=[BOB, "ann@example.test", "dan@example.test"], subject="From s-nail")
    assert message.sender == "eve@else.test"
    assert "First.\n.\nAfter the dot." in message.text.replace("\r", "")
    assert message.attachments[0].content == bytes(range(256))
    mockmail.assert_no_bcc_leak()


def test_s_nail_hears_of_a_refusal(mockmail: MockMail, program: Callable, sendmail: Path) -> None:
    with mockmail.faults.smtp("RCPT", reply="550 5.1.1 nobody"):
        ran = program("s-nail")(
            "-n", "-S", "v15-compat", "-S", f"mta={sendmail}", "-S", "sendwait", "-r", "eve@else.test", "-s", "No", BOB,
            stdin=b"Hi.\n", ok=(4, 36), MOCKMAIL_SMTP_URL=mockmail.smtp.url,
        )  # fmt: skip
    assert b"550 5.1.1 nobody" in ran.stderr
    mockmail.assert_not_delivered()
