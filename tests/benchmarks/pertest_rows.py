"""What a test that sends one mail and looks at it costs: a real pytest run of many such tests.

Each contender's run is a process of its own that loads one plugin. A conftest notes the time at the begin and end of
each test's whole protocol (set-up, call, tear-down, reports); the cost is the mean of all tests but the first, less
the mean of as many empty tests in a run of their own. The floor is smtplib against a server that parses nothing and
is shared by all tests: what any server has to pay.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from harness import OURS, Goal, Scenario, Step
from subjects import HERE

TESTS = 200

CONFTEST = """
import json, pathlib, time, pytest

spans = []

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    began = time.perf_counter()
    result = yield
    spans.append(time.perf_counter() - began)
    return result

def pytest_sessionfinish(session, exitstatus):
    pathlib.Path("spans.json").write_text(json.dumps([int(exitstatus), spans]))
"""

SEND = """
import smtplib, sys, pytest
sys.path.insert(0, {here!r})
from corpus import RECIPIENT, SENDER, sized_message

MESSAGE = sized_message(2000)

def send(host, port):
    with smtplib.SMTP(host, port, local_hostname="client.example.test") as client:
        client.sendmail(SENDER, [RECIPIENT], MESSAGE)

many = pytest.mark.parametrize("number", range({tests}))
"""

TESTS_OF = {
    "empty": """
@many
def test_nothing(number):
    pass
""",
    OURS: """
@many
def test_mail(number, mockmail):
    send(*mockmail.smtp.address)
    message = mockmail.assert_delivered(to=RECIPIENT, subject="Your order")
    assert message.sender == SENDER
""",
    "smtpdfix": """
@many
def test_mail(number, smtpd):
    send(smtpd.hostname, smtpd.port)
    [message] = smtpd.messages
    assert message["Subject"] == "Your order"
""",
    "pytest-localserver": """
@many
def test_mail(number, smtpserver):
    send(*smtpserver.addr)
    [message] = smtpserver.outbox
    assert message["Subject"] == "Your order"
    assert message.details.mailfrom == SENDER
""",
    "floor": """
@pytest.fixture(scope="session")
def port():
    import floors
    floors.SmtpFloor.store = []
    return floors.serve(floors.SmtpFloor)

@many
def test_mail(number, port):
    send("127.0.0.1", port)
""",
}
PLUGINS = {
    OURS: "mockmail.pytest_plugin",
    "smtpdfix": "smtpdfix.fixture",
    "pytest-localserver": "pytest_localserver.plugin",
}


def spans(name: str) -> list[float]:
    """Seconds of each test's protocol in one run."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(CONFTEST, encoding="utf-8")
        text = SEND.format(here=str(HERE), tests=TESTS) + TESTS_OF[name]
        Path(folder, "test_rows.py").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder]
        if name in PLUGINS:
            command += ["-p", PLUGINS[name]]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{name}: pytest said\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}")
        seconds: list[float] = json.loads(Path(folder, "spans.json").read_text(encoding="utf-8"))[1]
        return seconds


def _run(name: str) -> Callable[[], AbstractContextManager[dict[str, float]]]:
    @contextmanager
    def ran() -> Iterator[dict[str, float]]:
        empty, mail = spans("empty"), spans(name)
        nothing = sum(empty[1:]) / (len(empty) - 1)
        yield {"each": sum(mail[1:]) / (len(mail) - 1) - nothing, "first": mail[0] - empty[0], "all": sum(mail)}

    return ran


def _figure(key: str, figures: dict[str, float]) -> float:
    return figures[key]


_HALF = (Goal("smtpdfix", 2.0), Goal("pytest-localserver", 2.0))

SCENARIOS = [
    Scenario(
        "per-test",
        f"One 2 KB mail sent (smtplib) and asserted per test ({TESTS} tests less {TESTS} empty ones)",
        {name: _run(name) for name in TESTS_OF if name != "empty"},
        [
            Step("a test", partial(_figure, "each"), _HALF),
            Step("the first test (imports, start)", partial(_figure, "first")),
            Step(f"all {TESTS} tests, as run", partial(_figure, "all"), _HALF),
        ],
    )
]
