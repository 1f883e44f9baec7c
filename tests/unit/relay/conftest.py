"""What tests of relaying share: a network, and a user agent that submits."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mockmail.network import MailNetwork
from mockmail.server import MockMail


@pytest.fixture
def network() -> Iterator[Callable[..., MailNetwork]]:
    with ExitStack() as stack:

        def make(*servers, **settings) -> MailNetwork:
            return stack.enter_context(MailNetwork(*servers, **settings))

        yield make


@pytest.fixture
def submit() -> Callable[..., dict]:
    """Send by SMTP, logged in unless told not to; the recipients refused."""

    def submit(server: MockMail, *to: str, sender: str | None = None, login: bool = True, text: str = "Hi", **options):
        domain = server.settings.default_domain
        sender = f"a@{domain}" if sender is None else sender
        with smtplib.SMTP(*server.smtp.address) as client:
            if login:
                client.login(f"a@{domain}", "any")
            message = f"From: {sender}\r\nSubject: {text}\r\n\r\n{text}\r\n"
            return client.sendmail(sender, list(to), message, **options)

    return submit
