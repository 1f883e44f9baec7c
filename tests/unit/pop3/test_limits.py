"""Long lines, maildrops that became read-only, clocks that go back, and UTF-8 mode over TLS."""

from datetime import timedelta

import pytest

from mockmail.wire.contract import TLSInfo

BOB = "bob@example.test"


@pytest.mark.parametrize(
    ("length", "noted"), [(2046, False), (2047, True), (100_000, True)], ids=["fits", "does not fit", "very long"]
)
@pytest.mark.parametrize("place", [b"%b", b"Subject: x\r\n\r\n%b\r\nlast\r\n", b"Subject: x\r\n\r\n%b"])
def test_a_line_that_poplib_does_not_read_is_sent_as_it_is_and_noted(length, noted, place, new_peer, seed):
    raw = place % (b"x" * length + b"\r\n")
    seed(raw)
    peer = new_peer().log_in()
    notes = []
    peer.link.note = notes.append
    assert peer.send(b"RETR 1\r\n") == b"+OK %d octets\r\n%b.\r\n" % (len(raw), raw)
    assert len(notes) == noted
    peer.say("TOP 1 5")
    assert len(notes) == 2 * noted
    assert all("message 1 has a line of more than 2048 bytes" in note for note in notes)


def test_a_maildrop_that_became_read_only_keeps_what_is_marked(new_peer, seed, world):
    seed(b"Subject: one\r\n\r\n")
    peer = new_peer().log_in()
    assert peer.say("DELE 1") == "+OK message 1 deleted\r\n"
    world.account(BOB).inbox.read_only = True
    assert peer.say("QUIT").startswith("-ERR [SYS/PERM] some deleted messages not removed")
    assert len(world.account(BOB).inbox.entries) == 1


def test_a_clock_that_went_back_delays_no_login(new_world, new_peer):
    world = new_world(pop3_login_delay_seconds=60)
    new_peer(world).log_in().say("QUIT")
    world.clock.freeze(world.clock.now() - timedelta(days=1))
    new_peer(world).log_in()


def test_utf8_said_in_plain_text_counts_no_more_over_tls(new_world, new_peer):
    world = new_world(tls=True)
    world.store.seed(world.account(BOB), "INBOX", world.store.new_message("Subject: ü\r\n\r\n".encode()), [])
    peer = new_peer(world)
    peer.say("UTF8")
    peer.session.tls_started(TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
    assert "-ERR [UTF8]" in peer.log_in().say("RETR 1")
