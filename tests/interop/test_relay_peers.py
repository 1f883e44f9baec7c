"""Relaying to and from other people's mail servers, on loopback: smtp-sink, aiosmtpd, and Postfix."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

from mockmail import MockMail, RelayAttempted
from support.daemon import Daemon, free_port, installed, running

LOCALHOST = "127.0.0.1"
DATA = 'From: Alice <a@alice.test>\r\nSubject: Lunch\r\n\r\n.a line with a dot\r\n..two\r\n"quoted"\r\n'


def submit(mail: MockMail, *to: str, data: str | bytes = DATA, **options: object) -> None:
    with smtplib.SMTP(*mail.smtp.address) as smtp:
        smtp.login("a@alice.test", "any")
        smtp.sendmail("a@alice.test", list(to), data, **options)


# smtp-sink, and what it can be told to do wrong


@contextmanager
def smtp_sink(*options: str, port: int | None = None) -> Iterator[int]:
    """Its port. Without privileges it need not give any up."""
    port = port or free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    # Of what it tells in so many words, waiting for its first event is what follows listening.
    command = [installed("smtp-sink"), "-v", "-v", "-v", *user, *options, f"{LOCALHOST}:{port}", "16"]
    with running(command, ready="event_loop: "):
        yield port


@contextmanager
def relaying_to(port: int, **settings: object) -> Iterator[MockMail]:
    with MockMail(domains=["alice.test"], routes={"sink.test": (LOCALHOST, port)}, timeout=60, **settings) as mail:
        yield mail


def test_into_smtp_sink_byte_for_byte() -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home.chmod(0o777)
        port = stack.enter_context(smtp_sink("-D", f"{home}/mail"))
        mail = stack.enter_context(relaying_to(port))
        submit(mail, "b@sink.test", "c@sink.test")
        relayed = mail.assert_relayed(to=["b@sink.test", "c@sink.test"], via=(LOCALHOST, port), attempts=1)
        assert relayed.reply == "250 2.0.0 Ok"
        dumped = (home / "mail").read_bytes().replace(b"\n", b"\r\n")
    assert b"X-Mail-Args: <a@alice.test>\r\n" in dumped
    assert b"X-Rcpt-Args: <b@sink.test>\r\nX-Rcpt-Args: <c@sink.test>\r\n" in dumped
    received, _, rest = (
        dumped.partition(b"X-Helo-Args: alice.test")[2].partition(b"Received: from")[2].partition(b"From:")
    )
    assert b"by alice.test with ESMTPA id " in received
    assert b"From:" + rest.removesuffix(b"\r\n") == DATA.encode()


CLOSED = "451 4.4.2 the next hop closed the connection"
SOFT, HARD = "450 4.3.0 Error: command failed", "500 5.3.0 Error: command failed"


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        *((("-q", command), CLOSED) for command in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")),
        *(
            (("-Q", command), "421 4.0.0 Server closing connection")
            for command in ("EHLO", "MAIL", "RCPT", "DATA", ".")
        ),
        *((("-r", command), SOFT) for command in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")),
        (("-r", "RCPT", "-b", "451 4.7.1 Greylisted"), "451 4.7.1 Greylisted"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_trouble_with_smtp_sink_is_tried_again(options: tuple[str, ...], reply: str) -> None:
    with smtp_sink(*options) as port, relaying_to(port) as mail:
        submit(mail, "b@sink.test")
        waiting = mail.assert_queued(to="b@sink.test", attempts=1)
        assert waiting.last_reply.startswith(reply)
        mail.assert_not_bounced()
        (attempt,) = mail.events.of(RelayAttempted)
        assert (attempt.address, attempt.reply, attempt.tls) == ((LOCALHOST, port), waiting.last_reply, None)


@pytest.mark.parametrize("options", [("-q", "."), ("-Q", "MAIL"), ("-r", "RCPT"), ("-r", "EHLO")])
def test_the_next_attempt_goes_through_when_smtp_sink_has_come_to_its_senses(options: tuple[str, ...]) -> None:
    with ExitStack() as sinks:
        port = sinks.enter_context(smtp_sink(*options))
        with relaying_to(port) as mail:
            submit(mail, "b@sink.test")
            mail.assert_queued(attempts=1)
            sinks.close()
            sinks.enter_context(smtp_sink(port=port))
            mail.clock.advance(minutes=30)
            mail.assert_relayed(to="b@sink.test", via=(LOCALHOST, port), attempts=2)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_what_smtp_sink_refuses_for_good_bounces(command: str) -> None:
    with smtp_sink("-f", command) as port, relaying_to(port) as mail:
        submit(mail, "b@sink.test")
        bounced = mail.assert_bounced(to="b@sink.test", status="5.3.0")
        assert (bounced.reply, bounced.attempts) == (HARD, 1)
        report = mail.assert_delivered(to="a@alice.test", sender="").report
        (failed,) = report.recipients
        assert (failed.recipient, failed.action, failed.status) == ("b@sink.test", "failed", "5.3.0")
        assert failed.diagnostic == HARD


def test_a_refusal_in_the_middle_of_the_data_bounces() -> None:
    with smtp_sink("-A", "0") as port, relaying_to(port) as mail:
        submit(mail, "b@sink.test", data=DATA + "x" * 900 + "\r\n")
        assert mail.assert_bounced(to="b@sink.test").reply.startswith("550 ")


@pytest.mark.parametrize("options", [("-e",), ("-P",), ("-f", "EHLO"), ("-p",), ("-a", "-C", "-F", "-N", "-E")])
def test_into_an_smtp_sink_that_knows_little(options: tuple[str, ...]) -> None:
    with smtp_sink(*options) as port, relaying_to(port) as mail:
        submit(mail, "b@sink.test")
        assert mail.assert_relayed(to="b@sink.test").reply.startswith("250 ")


def test_an_smtp_sink_without_8bitmime_and_dsn() -> None:
    with smtp_sink("-8", "-N") as port, relaying_to(port) as mail:
        submit(mail, "b@sink.test", data=DATA.encode() + "Grüße\r\n".encode(), mail_options=["BODY=8BITMIME"])
        assert mail.assert_bounced(to="b@sink.test").status == "5.6.3"
        mark = mail.mark()
        submit(mail, "c@sink.test", rcpt_options=["NOTIFY=SUCCESS"])
        mail.assert_relayed(to="c@sink.test")
        (relayed,) = mail.assert_delivered(to="a@alice.test", sender="", since=mark).report.recipients
        assert (relayed.recipient, relayed.action) == ("c@sink.test", "relayed")


def test_one_bad_next_hop_holds_up_no_other() -> None:
    with smtp_sink("-q", "DATA") as bad, smtp_sink() as good, relaying_to(bad) as mail:
        mail.reset_to(mail.settings.updated(routes={"bad.test": (LOCALHOST, bad), "good.test": (LOCALHOST, good)}))
        submit(mail, "b@bad.test", "g@good.test")
        mail.assert_relayed(to="g@good.test", via=(LOCALHOST, good))
        mail.assert_queued(to="b@bad.test", attempts=1)


def test_a_slow_next_hop_holds_up_no_other_and_its_time_is_told() -> None:
    with smtp_sink("-w", "1") as slow, smtp_sink() as good, relaying_to(slow) as mail:
        mail.reset_to(mail.settings.updated(routes={"slow.test": (LOCALHOST, slow), "good.test": (LOCALHOST, good)}))
        submit(mail, "s@slow.test", "g@good.test")
        mail.assert_relayed(to="g@good.test")
        mail.assert_queued(to="s@slow.test")
        assert mail.assert_relayed(to="s@slow.test").duration_seconds >= 1


# aiosmtpd, as its own program


def test_into_aiosmtpd() -> None:
    port = free_port()
    command = [sys.executable, "-u", "-m", "aiosmtpd", "-n", "-d", "-l", f"{LOCALHOST}:{port}"]
    with running([*command, "-c", "aiosmtpd.handlers.Debugging", "stdout"], ready="Server is listening") as aiosmtpd:
        with relaying_to(port) as mail:
            submit(mail, "b@sink.test")
            assert mail.assert_relayed(to="b@sink.test", via=(LOCALHOST, port)).reply.endswith("OK")
            for line in ("MESSAGE FOLLOWS", "^Received: from", "^Subject: Lunch", r"^\.a line with a dot", r"^\.\.two"):
                aiosmtpd.wait_for(line)


# Postfix

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = postfix.test
mydestination =
local_transport = error:no local mail
alias_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_recipient_restrictions = check_recipient_access inline:{{ nobody@bob.test=REJECT }}, permit_mynetworks, reject
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
PRIVATE = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]


class Postfix:
    """A Postfix of the test's own: its port, and its log, which :meth:`wait_for` reads."""

    def __init__(self, home: Path, port: int, daemon: Daemon) -> None:
        self.home = home
        self.port = port
        self.wait_for = daemon.wait_for

    def flush(self) -> None:
        """Have it try again at once what it keeps."""
        as_root(installed("postqueue"), "-c", f"{self.home}/etc", "-f")

    def send(self, sender: str, *to: str, data: str = DATA, **options: object) -> None:
        with smtplib.SMTP(LOCALHOST, self.port) as smtp:
            smtp.sendmail(sender, list(to), data, **options)


def as_root(*command: str, check: bool = True) -> str:
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    ran = subprocess.run([*sudo, *command], capture_output=True, text=True, timeout=60, check=False)
    assert not check or ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    return ran.stdout


@contextmanager
def postfix(settings: Mapping[str, str]) -> Iterator[Postfix]:
    """Postfix with its own configuration, queue and ports, in the foreground, and asks nothing of /etc/postfix."""
    program, postconf = installed("postfix"), installed("postconf")
    port = free_port()
    # Not in pytest's directory, where the user postfix may not go.
    home = Path(tempfile.mkdtemp(prefix="mockmail-postfix-"))
    try:
        home.chmod(0o755)
        (home / "etc").mkdir()
        main = MAIN_CF.format(home=home, daemons=as_root(postconf, "-d", "-h", "daemon_directory").strip())
        main += "".join(f"{name} = {value}\n" for name, value in settings.items())
        (home / "etc" / "main.cf").write_text(main)
        (home / "etc" / "master.cf").write_text(MASTER_CF.format(port=port))
        queue = home / "queue"
        as_root("install", "-d", "-o", "root", "-m", "755", f"{home}/etc", f"{queue}", f"{queue}/pid")
        as_root("install", "-d", "-o", "postfix", "-m", "700", f"{home}/data", *(f"{queue}/{name}" for name in PRIVATE))
        as_root("install", "-d", "-o", "postfix", "-g", "postdrop", "-m", "730", f"{queue}/maildrop")
        as_root("install", "-d", "-o", "postfix", "-g", "postdrop", "-m", "710", f"{queue}/public")
        # So it need not look through the whole installation first, which takes ten seconds.
        as_root("touch", f"{queue}/quick-start")
        sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
        command = [*sudo, program, "-c", f"{home}/etc", "start-fg"]

        def stop() -> None:
            # The script that start-fg is waits for the master, which ends all others.
            as_root("sh", "-c", f"kill $(cat {queue}/pid/master.pid)", check=False)

        with running(command, ready="daemon started", stop=stop) as daemon:
            yield Postfix(home, port, daemon)
    finally:
        as_root("rm", "-rf", str(home))


def to(mail: MockMail) -> str:
    """As Postfix writes it."""
    return f"smtp:[{mail.smtp.host}]:{mail.smtp.port}"


@pytest.fixture
def start() -> Iterator[Callable[..., Postfix]]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(postfix(settings))


def test_out_of_postfix_with_mockmail_as_smarthost(start) -> None:
    with MockMail(timeout=60) as mail:
        server = start(relayhost=to(mail).removeprefix("smtp:"))
        server.send("app@shop.test", "b@one.test", "c@two.test")
        message = mail.assert_delivered(to=["b@one.test", "c@two.test"], subject="Lunch", sender="app@shop.test")
        assert (
            server.wait_for(r"to=<b@one\.test>, .*status=(\w+) \(250 2\.6\.0 Message accepted as (\w+)\)")[1] == "sent"
        )
        received = message.headers.all("Received")
        assert received[0].startswith("from postfix.test ([127.0.0.1])")
        assert "by postfix.test (Postfix)" in received[1]
        assert message.original.endswith(DATA.encode().partition(b"\r\n\r\n")[2])


def test_out_of_postfix_with_mockmail_as_destination_that_was_down(start) -> None:
    with MockMail(domains=["bob.test"], timeout=60) as mail:
        server = start(transport_maps=f"inline:{{ bob.test={to(mail)} }}")
        mail.go_down()
        server.send("a@alice.test", "b@bob.test")
        server.wait_for(r"to=<b@bob\.test>.*status=deferred .*Connection refused")
        mail.assert_not_delivered()
        mail.come_up()
        server.flush()
        mail.assert_delivered(to="b@bob.test", subject="Lunch")
        server.wait_for(r"to=<b@bob\.test>.*status=sent")


def test_postfix_is_greylisted_and_told_of_users_that_are_unknown(start) -> None:
    users = {"b@bob.test": "x", "a@alice.test": "x"}
    with MockMail(domains=["bob.test", "alice.test"], users=users, timeout=60) as mail:
        server = start(relayhost=to(mail).removeprefix("smtp:"))
        mail.faults.smtp("RCPT", reply="451 4.7.1 Greylisted, try again", times=1)
        server.send("a@alice.test", "b@bob.test")
        server.wait_for(r"dsn=4\.7\.1, status=deferred .*Greylisted, try again")
        server.flush()
        mail.assert_delivered(to="b@bob.test")
        server.send("a@alice.test", "gone@bob.test")
        server.wait_for(r"dsn=5\.1\.1, status=bounced")
        bounce = mail.assert_delivered(to="a@alice.test", sender="")
        (failed,) = bounce.report.recipients
        assert (failed.recipient, failed.action, failed.status) == ("gone@bob.test", "failed", "5.1.1")
        assert failed.diagnostic.startswith("550 5.1.1 <gone@bob.test>: no such user here")


def test_through_postfix_as_smarthost(start) -> None:
    with ExitStack() as stack:
        bob = stack.enter_context(MockMail(domains=["bob.test"], timeout=60))
        server = start(transport_maps=f"inline:{{ bob.test={to(bob)} }}", default_transport="error:nobody else")
        smarthost = f"smtp://{LOCALHOST}:{server.port}"
        alice = stack.enter_context(MockMail(domains=["alice.test"], smarthost=smarthost, timeout=60))
        submit(alice, "b@bob.test", "nobody@bob.test")
        relayed = alice.assert_relayed(to="b@bob.test", via=(LOCALHOST, server.port), attempts=1)
        assert relayed.reply.startswith("250 2.0.0 Ok: queued as ")
        message = bob.assert_delivered(to="b@bob.test", subject="Lunch", sender="a@alice.test")
        assert len(message.headers.all("Received")) == 3
        assert message.original.endswith(DATA.encode().partition(b"\r\n\r\n")[2])
        bounced = alice.assert_bounced(to="nobody@bob.test")
        assert bounced.reply.startswith("554 5.7.1 <nobody@bob.test>: Recipient address rejected")
        assert alice.assert_delivered(to="a@alice.test", sender="").report.recipients[0].status == "5.7.1"


def test_postfix_confirms_what_mockmail_asked_it_to(start) -> None:
    with ExitStack() as stack:
        alice = stack.enter_context(MockMail(domains=["alice.test"], timeout=60))
        bob = stack.enter_context(MockMail(domains=["bob.test"], hide={"smtp": ["DSN"]}, timeout=60))
        server = start(transport_maps=f"inline:{{ bob.test={to(bob)}, alice.test={to(alice)} }}")
        alice.reset_to(alice.settings.updated(routes={"bob.test": (LOCALHOST, server.port)}))
        submit(
            alice,
            "b@bob.test",
            mail_options=["RET=HDRS", "ENVID=QQ314159"],
            rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob@bob.test"],
        )
        report = alice.assert_delivered(to="a@alice.test", sender="").report
        (relayed,) = report.recipients
        assert (relayed.recipient, relayed.action, relayed.status) == ("b@bob.test", "relayed", "2.6.0")
        assert "by postfix.test" in alice.messages[0].raw.decode()


def test_tls_into_postfix(start, tmp_path) -> None:
    authority = trustme.CA()
    certificate = tmp_path / "chain.pem"
    authority.issue_cert("postfix.test").private_key_and_cert_chain_pem.write_to_path(certificate)
    with MockMail(domains=["bob.test"], timeout=60) as bob:
        server = start(
            transport_maps=f"inline:{{ bob.test={to(bob)} }}",
            smtpd_tls_security_level="encrypt",
            smtpd_tls_chain_files=str(certificate),
            smtpd_tls_auth_only="yes",
        )
        with MockMail(domains=["alice.test"], routes={"bob.test": (LOCALHOST, server.port)}, timeout=60) as alice:
            submit(alice, "b@bob.test")
            assert alice.assert_relayed(to="b@bob.test").tls == "TLSv1.3"
            assert "with ESMTPS id" in bob.assert_delivered(to="b@bob.test").headers.all("Received")[1]
