"""What is imported, each time in a fresh interpreter that has pytest loaded already, as a test run has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from harness import OURS, Goal, Scenario, Step

INTERPRETERS = 3
HEAVY = ("aiosmtpd", "asyncio", "email", "ssl")
_SCRIPT = """
import sys, time
import pytest
before = set(sys.modules)
began = time.perf_counter()
{statement}
seconds = time.perf_counter() - began
new = set(sys.modules) - before
print(seconds)
print(len(new), *sorted(name for name in new if name in {heavy!r}))
"""


def imported(statements: dict[str, str], heavy: tuple[str, ...], contender: str) -> float | None:
    """Seconds of the contender's import, the best of some interpreters: the rest is noise of the file system."""
    statement = statements.get(contender)
    if statement is None:
        return None
    best = float("inf")
    for _ in range(INTERPRETERS):
        script = _SCRIPT.format(statement=statement, heavy=heavy)
        output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        seconds, modules = output.splitlines()
        best = min(best, float(seconds))
    if contender == OURS and heavy and modules.split()[1:]:
        raise RuntimeError(f"{statement!r} loads {modules}")
    return best


def _named(name: str) -> Callable[[], AbstractContextManager[str]]:
    @contextmanager
    def opened() -> Iterator[str]:
        yield name

    return opened


PLUGIN = {
    OURS: "import mockmail.pytest_plugin",
    "pytest-localserver": "import pytest_localserver.plugin",
    "smtpdfix": "import smtpdfix.fixture",
}
PACKAGE = {
    OURS: "import mockmail",
    "pytest-localserver": "import pytest_localserver",
    "smtpdfix": "import smtpdfix",
    "aiosmtpd": "import aiosmtpd",
}
SERVER = {
    OURS: "from mockmail import MockMail; MockMail().start().stop()",
    "pytest-localserver": "from pytest_localserver.smtp import Server; s = Server(); s.start(); s.stop()",
    "aiosmtpd": "import aiosmtpd.controller",
}

SCENARIOS = [
    Scenario(
        "import",
        f"Imports, pytest loaded (best of {INTERPRETERS} fresh interpreters)",
        {name: _named(name) for name in (OURS, "pytest-localserver", "smtpdfix", "aiosmtpd")},
        [
            Step("the plugin, in a run without mail", partial(imported, PLUGIN, HEAVY), (Goal(at_most=1e-3),)),
            Step("the package", partial(imported, PACKAGE, HEAVY)),
            Step("import, first start and stop (aiosmtpd: import alone)", partial(imported, SERVER, ())),
        ],
    )
]
