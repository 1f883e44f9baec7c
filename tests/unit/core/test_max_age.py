"""Mail that is kept for some time only, by the server's clock."""

import datetime
import smtplib

import pytest

from mockmail import ConfigurationError, MockMail


def send(mail, subject):
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.sendmail("app@example.test", ["bob@example.test"], f"Subject: {subject}\r\n\r\n")


def test_delivered_mail_goes_when_its_time_is_over():
    with MockMail(max_age=datetime.timedelta(days=2)) as mail:
        mail.seed(to="bob@example.test", subject="Seeded")
        send(mail, "First")
        mail.clock.advance(days=1)
        send(mail, "Second")
        mail.clock.advance(hours=23)
        assert [message.subject for message in mail.messages] == ["First", "Second"]
        mail.clock.advance(hours=1, seconds=10)
        assert [message.subject for message in mail.messages] == ["Second"]
        assert [message.subject for message in mail.account("bob@example.test").inbox] == ["Seeded", "Second"]
        mail.clock.run_until_idle()
        assert not mail.clock.advance_to_next()
        assert len(mail.messages) == 1, "nobody waits for mail to go"
        mail.clock.advance(days=1)
        assert len(mail.messages) == 0
        send(mail, "Third")
        assert len(mail.messages) == 1
        mail.clock.advance(days=3)
        assert len(mail.messages) == 0


def test_what_waits_is_tried_and_what_is_old_goes_on_the_way():
    hours = [datetime.timedelta(hours=hour) for hour in (1, 5)]
    with MockMail(domains=["example.test"], relay="open", max_age=hours[0] * 2, retry_schedule=hours) as mail:
        send(mail, "Old")
        with smtplib.SMTP(*mail.smtp.address) as smtp:
            smtp.sendmail("app@example.test", ["x@else.test"], "Subject: Waits\r\n\r\n")
        assert mail.clock.advance_to_next()
        assert len(mail.messages) == 1
        mail.clock.run_until_idle()
        assert [message.subject for message in mail.messages if message.sender] == []
        mail.assert_bounced(to="x@else.test", timeout=0)


def test_the_copies_of_a_list_go_too():
    with MockMail(max_age=datetime.timedelta(days=1)) as mail:
        mail.add_list("all@example.test", ["bob@example.test"], owner="ann@example.test")
        with smtplib.SMTP(*mail.smtp.address) as smtp:
            smtp.sendmail("app@example.test", ["all@example.test"], "Subject: List\r\n\r\n")
        assert len(mail.account("bob@example.test").inbox) == 1
        mail.clock.advance(days=1, seconds=10)
        assert len(mail.account("bob@example.test").inbox) == 0


def test_nothing_goes_without_it():
    with MockMail() as mail:
        send(mail, "Kept")
        mail.clock.advance(days=4000)
        assert len(mail.messages) == 1


@pytest.mark.parametrize("wrong", [3600, datetime.timedelta(), "7d"])
def test_what_is_no_age(wrong):
    with pytest.raises(ConfigurationError, match=r"max_age is .*; write a timedelta above 0, or None for good"):
        MockMail(max_age=wrong)
