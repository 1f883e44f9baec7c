"""The plugin is tested by runs of pytest in a process of their own, as users have them."""

import pytest

SEND = """
import smtplib

def send(mail, to="bob@example.test", subject="Hello"):
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.sendmail("app@example.test", [to], f"Subject: {subject}\\n\\nHi.\\n")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests can `from app import send`."""
    # pytest-asyncio wants a setting of its own in every project.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:asyncio")
    # Where these are set, pytest repeats a whole failure in its summary: output would depend on the machine.
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    pytester.makepyfile(app=SEND)
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    return pytester
