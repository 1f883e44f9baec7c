"""All that has to do with time goes by the one clock that a test moves."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from datetime import UTC, datetime, timedelta

import pytest

from mockmail.server import MockMail

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_dates_delays_tokens_and_the_queue() -> None:
    with MockMail(domains=["a.test"], relay="open", pop3_login_delay_seconds=60) as mail:
        mail.clock.freeze(AT)
        bob = mail.account("b@a.test")
        token = bob.token(expires_in=90)
        with smtplib.SMTP(*mail.smtp.address) as client:
            client.sendmail("s@a.test", ["b@a.test", "x@gone.test"], "Subject: x\r\n\r\n")

        assert bob.inbox[0].received_at == AT
        assert bob.inbox[0].headers["Received"].endswith("Wed, 2 Jan 2030 03:04:05 +0000")
        assert mail.queue[0].queued_at == AT
        with imaplib.IMAP4(*mail.imap.address) as client:
            client.authenticate("XOAUTH2", lambda _: f"user=b@a.test\1auth=Bearer {token}\1\1".encode())
            client.select()
            assert b'INTERNALDATE " 2-Jan-2030 03:04:05 +0000"' in client.fetch("1", "(INTERNALDATE)")[1][0]

        def log_in() -> None:
            pop3 = poplib.POP3(*mail.pop3.address)
            try:
                pop3.user("b@a.test")
                pop3.pass_("any")
                pop3.quit()
            finally:
                pop3.close()

        log_in()
        mail.clock.advance(seconds=59)
        with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
            log_in()
        mail.clock.advance(seconds=1)
        log_in()
        mail.clock.advance(seconds=31)
        with imaplib.IMAP4(*mail.imap.address) as client, pytest.raises(imaplib.IMAP4.error):
            client.authenticate("XOAUTH2", lambda _: f"user=b@a.test\1auth=Bearer {token}\1\1".encode())

        mail.clock.run_until_idle()
        assert mail.account("s@a.test").inbox[-1].date == mail.clock.now() == AT + timedelta(days=5)
