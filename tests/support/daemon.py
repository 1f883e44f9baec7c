"""A server of somebody else's, run for a test, whose log is read line by line as it is written."""

from __future__ import annotations

import os
import queue
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

__all__ = ["Daemon", "free_port", "installed", "running"]

SECONDS = 60.0
"""For a line to come: a busy machine is no failure."""


class Daemon:
    """A running program, and what it has said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._fresh: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._fresh.put(line.rstrip("\n"))
        self._fresh.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The match in the first line, of those not waited for yet, that has it; an ``AssertionError`` with all lines
        when none comes."""
        while True:
            try:
                line = self._fresh.get(timeout=SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                said = "\n".join(self.lines)
                raise AssertionError(f"no line has {pattern!r}; it said:\n{said}")
            self.lines.append(line)
            match = re.search(pattern, line)
            if match is not None:
                return match

    def ended(self) -> None:
        """Wait until it has, and take its pipe away."""
        self.process.wait(timeout=SECONDS)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(command: Sequence[str], *, ready: str, stop: Callable[[], object] | None = None) -> Iterator[Daemon]:
    """The program, from the line that says that it is ready on. At the end it is killed, unless ``stop`` has it end:
    one that began others must see to them."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    daemon = Daemon(process)
    try:
        daemon.wait_for(ready)
        yield daemon
    finally:
        try:
            if stop is not None:
                stop()
                process.wait(timeout=SECONDS)
        finally:
            process.kill()
            daemon.ended()


def installed(name: str) -> str:
    """Path of a program. One that is not installed skips the test, unless MOCKMAIL_REQUIRE_PROGRAMS is set, as it is
    in CI."""
    # Debian keeps programs of mail servers where only root looks.
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    """A port that nobody has at this moment, for a program that cannot be asked which one it took."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
