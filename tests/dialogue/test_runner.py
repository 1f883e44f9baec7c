"""The player of dialogues itself, on a server that repeats what it hears."""

import pytest

from mockmail.wire.contract import Close


class Echo:
    """Answers each line with itself; ``quit`` closes, ``boom`` breaks."""

    timeout_seconds = 600.0

    def __init__(self, link, world):
        self.link = link
        self.world = world
        self._line = b""
        self._actions = []

    def greeting(self):
        self._actions.append(b"hello\r\n")

    def answer(self, data):
        self.receive(data)

    def receive(self, data):
        for byte in data:
            self._line += bytes([byte])
            if self._line.endswith(b"\r\n"):
                self._take(self._line)
                self._line = b""

    def _take(self, line):
        if line == b"boom\r\n":
            self.link.errors.append(RuntimeError("broken inside"))
            return
        if line == b"count\r\n":
            line = b"%d\r\n" % len(self.world.account("bob@example.test").inbox.entries)
        self._actions.append(line)
        if line == b"quit\r\n":
            self._actions.append(Close())

    def receive_eof(self):
        self._actions.append(Close())

    def outgoing(self, limit_bytes=1 << 17):
        actions, self._actions = self._actions, []
        return actions

    busy = False
    wants_input = True

    def notify(self):
        pass

    def timed_out(self):
        self._actions.append(Close())

    def tls_started(self, info):
        pass

    def rebind(self, world):
        self.world = world

    def connection_lost(self):
        pass


GOOD = {
    "pipelined lines": "S: hello\nC: one\nC: two\nS: one\nS: two",
    "bytes without a line end": "S: hello\nC| on\nC: e\nS| o\nS| ne\\x0d\nS| \\x0a",
    "a pattern with a name": "S: hello\nC: uid 42 x\nS: /uid (?P<uid>\\d+) x/\nC: {uid}\nS: 42",
    "a placeholder": "S: hello\nC: [now {repeat:ab:3}] x\nS: [now {word}] x\nC: {word}\nS: ababab",
    "the same name twice": "S: hello\nC: a a\nS: {x} {x}",
    "base64": "S: hello\nC: {base64:\\x00bob\\x00pw}\nS: AGJvYgBwdw==",
    "a literal's braces": "S: hello\nC: {5}\nS: {5}",
    "close": "S: hello\nC: quit\nS: quit\nS: <closed>",
    "half-close": "S: hello\nC: <eof>\nS: <closed>",
    "vanish": "S: hello\nX:\nS2: hello",
    "two sessions": "S1: hello\nS2: hello\nC1: one\nC2: two\nS2: two\nS1: one",
    "a seed in mid-dialogue": "S: hello\nC: count\nS: 0\n@seed bob@example.test\n: Subject: a\n:\n| b\nC: count\nS: 1",
    "an expunge": "@seed bob@example.test\n| x\n@expunge bob@example.test INBOX 1\nS: hello\nC: count\nS: 0",
    "bytes that are no text": "S: hello\nC: \\xff\\x00\nS: \\xff\\x00",
}

BAD = {
    "another line": ("S: hello\nC: one\nS: two", "script:3: expected 'two'"),
    "no line": ("S: hello\nS: more", "the server sent no line"),
    "a line too many": ("C: one", r"the server sent more: b'hello\\r\\none\\r\\n'"),
    "no match": ("S: /h.llo./", r"expected a match of /h.llo./"),
    "another name": ("S: hello\nC: a b\nS: {x} {x}", "expected '{x} {x}'"),
    "it does not close": ("S: hello\nS: <closed>", "keeps the connection"),
    "bytes differ": ("S| help", "expected b'help'"),
}


@pytest.mark.parametrize("script", GOOD.values(), ids=GOOD)
def test_a_true_dialogue_passes(play_text, script, way):
    play_text(script, Echo, way)


@pytest.mark.parametrize(("script", "message"), BAD.values(), ids=BAD)
def test_a_difference_fails_and_shows_the_dialogue(play_text, script, message):
    with pytest.raises(AssertionError, match=message):
        play_text(script, Echo, "memory-whole")


def test_the_failure_has_the_dialogue_so_far(play_text):
    with pytest.raises(AssertionError) as caught:
        play_text("S: hello\nC: one\nS: one\nC: two\nS: three", Echo, "memory-bytes")
    assert str(caught.value).splitlines() == [
        "script:5: expected 'three'",
        "    S: hello",
        "    C: one",
        "    S: one",
        "    C: two",
        "    S: two",
    ]


def test_an_error_inside_the_server_fails(play_text):
    with pytest.raises(RuntimeError, match="broken inside"):
        play_text("S: hello\nC: boom", Echo, "memory-whole")
