"""Parameters of MAIL and RCPT: what is kept of them, and what only some connections have."""

import pytest

from mockmail.config import Settings
from mockmail.core.events import Delivered
from mockmail.core.world import World


def test_parameters_are_kept_as_they_were_sent(client):
    c = client(secure=True).start()
    c.converse(
        "MAIL FROM:<a@b> Ret=hdrs ENVID=QQ+2B1 Size=20 by=120;rT RequireTLS auth=e+3Dmc2@example.com",
        "RCPT TO:<c@d> notify=Success,Delay orcpt=rfc822;C+2Bx@D",
        "RCPT TO:<e@f>",
        "DATA",
        ".",
    )
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.message.envelope.mail_options == {
        "Ret": "hdrs",
        "ENVID": "QQ+2B1",
        "Size": "20",
        "by": "120;rT",
        "RequireTLS": None,
        "auth": "e+3Dmc2@example.com",
    }
    assert delivered.message.envelope.rcpt_options == {"c@d": {"notify": "Success,Delay", "orcpt": "rfc822;C+2Bx@D"}}


def test_requiretls_is_a_parameter_of_tls_alone(client):
    over_tls = client(secure=True).start()
    assert "250-REQUIRETLS" in over_tls.converse("EHLO x")
    assert over_tls.say("MAIL FROM:<a@b> REQUIRETLS=1") == "501 5.5.4 REQUIRETLS takes no value"
    assert over_tls.say("MAIL FROM:<a@b> REQUIRETLS").startswith("250")
    assert client().start().say("MAIL FROM:<a@b> REQUIRETLS").startswith("555")


@pytest.mark.parametrize("value", ["bob", "bob@", "a+b@c", "e=mc2@x", "+00@x", ""])
def test_auth_takes_a_mailbox(client, value):
    assert client().start().say(f"MAIL FROM:<a@b> AUTH={value}").startswith("501")


def test_helo_has_no_parameters(client):
    c = client()
    c.session.greeting()
    c.converse("HELO x", "MAIL FROM:<a@b>")
    assert c.say("RCPT TO:<c@d> NOTIFY=NEVER") == "555 5.5.4 The parameter NOTIFY is not known here"


def test_a_recipient_whose_parameters_are_wrong_is_none(client):
    c = client().start()
    assert c.converse("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=X", "DATA")[-1] == "554 5.5.1 No recipient was taken"


def test_no_more_recipients_than_the_limit(client):
    c = client(recipient_limit=2).start()
    assert "250-LIMITS RCPTMAX=2" in c.converse("EHLO x")
    replies = c.converse("MAIL FROM:<a@b>", "RCPT TO:<a@d>", "RCPT TO:<b@d>", "RCPT TO:<c@d>", "DATA", ".")
    assert replies[3] == "452 4.5.3 More than 2 recipients"
    (delivered,) = c.world.journal.of(Delivered)
    assert delivered.recipients == ("a@d", "b@d")


def test_no_more_transactions_than_the_limit(client):
    c = client(World(Settings()), transaction_limit=2).start()
    assert "250-LIMITS MAILMAX=2 RCPTMAX=1000" in c.converse("EHLO x")
    replies = c.converse("MAIL FROM:<>", "RSET", "MAIL FROM:<>", "RSET", "MAIL FROM:<>", "NOOP")
    assert replies[4:] == ["421 4.5.3 More than 2 transactions in one connection"]
