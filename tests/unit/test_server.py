"""MockMail as an asynchronous context manager."""

import asyncio
import smtplib
import threading

import pytest

from mockmail import MockMail, NotRunningError, ServerError
from mockmail.core.store import Store


def send(address):
    with smtplib.SMTP(*address) as client:
        client.sendmail("app@example.test", ["bob@example.test"], b"Subject: Hi\r\n\r\nHi.\r\n")


def test_async_with_serves_and_stops():
    async def use():
        async with MockMail() as mail:
            sending = asyncio.create_task(asyncio.to_thread(send, mail.smtp.address))
            message = await mail.aio.assert_delivered(to="bob@example.test", subject="Hi")
            await sending
            with pytest.raises(NotRunningError, match="runs already"):
                async with mail:
                    pass
            return mail, message, mail.smtp.address

    before = set(threading.enumerate())
    mail, message, address = asyncio.run(use())
    assert set(threading.enumerate()) <= before
    assert list(mail.messages) == [message]
    with pytest.raises(ConnectionRefusedError):
        send(address)


def test_async_with_raises_what_went_wrong_inside_a_server(monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Store, "accept", broken)

    async def use():
        async with MockMail() as mail:
            with pytest.raises(smtplib.SMTPDataError):
                await asyncio.to_thread(send, mail.smtp.address)

    with pytest.raises(ServerError, match="a bug"):
        asyncio.run(use())
