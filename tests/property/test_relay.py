"""Random networks and outages: each message is delivered once, has bounced once, or still waits."""

from __future__ import annotations

import smtplib
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mockmail.config import Settings
from mockmail.core.events import Bounced, Delivered
from mockmail.network import MailNetwork

DOMAINS = ("a.test", "b.test", "c.test")
SCHEDULE = [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=30)]
_domain = st.integers(0, len(DOMAINS) - 1)
_step = st.one_of(
    st.tuples(st.just("send"), st.tuples(_domain, st.lists(_domain, min_size=1, max_size=3))),
    st.tuples(st.sampled_from(["go_down", "come_up", "hang", "busy"]), _domain),
    st.tuples(st.just("advance"), st.integers(1, 40)),
)


def _send(net: MailNetwork, number: int, source: int, targets: list[int]) -> list[tuple[int, str]]:
    server = net[DOMAINS[source]]
    recipients = [f"r{index}@{DOMAINS[target]}" for index, target in enumerate(targets)]
    try:
        with smtplib.SMTP(*server.smtp.address, timeout=5) as client:
            client.login(f"s@{DOMAINS[source]}", "any")
            client.sendmail("", recipients, f"X-Number: {number}\r\n\r\nx\r\n")
    except smtplib.SMTPRecipientsRefused:
        return []
    return [(number, recipient) for recipient in recipients]


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(_step, max_size=14))
def test_nothing_is_lost_and_nothing_doubled(steps) -> None:
    sent: list[tuple[int, str]] = []
    states = dict.fromkeys(DOMAINS, "come_up")
    with MailNetwork(*DOMAINS, settings=Settings(retry_schedule=SCHEDULE)) as net:
        for number, (what, value) in enumerate(steps):
            if what == "send":
                source, targets = value
                if states[DOMAINS[source]] == "come_up":
                    sent += _send(net, number, source, targets)
            elif what == "advance":
                net.clock.advance(minutes=value)
            elif what == "busy":
                net[DOMAINS[value]].faults.smtp("RCPT", reply="451 4.7.1 later", times=1)
            else:
                states[DOMAINS[value]] = what
                getattr(net[DOMAINS[value]], what)()
        net.clock.advance(seconds=1)
        ended: list[tuple[int, str]] = []
        for server in net:
            server.faults.clear()
            for event in (*server.events.of(Delivered), *server.events.of(Bounced)):
                ended += [(int(event.message.headers["X-Number"]), one) for one in event.recipients]
            for waiting in server.queue:
                ended += [(int(waiting.message.headers["X-Number"]), one) for one in waiting.recipients]
    assert sorted(ended) == sorted(sent)
