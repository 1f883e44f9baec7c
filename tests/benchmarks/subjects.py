"""Contenders as the load client sees them: processes with ports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from child import free_port

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"


@dataclass
class Subject:
    """A running contender: its ports, what can be asked of its process, and room for the rows' own notes."""

    name: str
    ports: dict[str, int]
    requests: IO[str] | None = None
    answers: IO[str] | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have the process do something, and wait for its answer."""
        if self.requests is None or self.answers is None:
            return None
        print(json.dumps({"do": do, **arguments}), file=self.requests, flush=True)
        line = self.answers.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended at {do!r}; its error is above")
        return json.loads(line)


def child(kind: str) -> Callable[[], AbstractContextManager[Subject]]:
    """Opens a contender of child.py in a process of its own."""

    @contextmanager
    def open_child() -> Iterator[Subject]:
        command = [sys.executable, str(HERE / "child.py"), kind]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                ports = json.loads(process.stdout.readline())
                yield Subject(kind, ports, process.stdin, process.stdout)
            finally:
                process.kill()

    return open_child


@contextmanager
def pymap() -> Iterator[Subject]:
    """pymap with its in-memory backend, run as its command line runs it."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("pymap")), "--host", HOST, "--port", str(port), "dict"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    ) as process:
        try:
            wait_for_port(process, port)
            subject = Subject("pymap", {"imap": port})
            subject.notes["login"] = ("demouser", "demopass")
            yield subject
        finally:
            process.kill()


def wait_for_port(process: subprocess.Popen[Any], port: int, timeout_seconds: float = 30.0) -> None:
    """Wait until a process that does not say when it is ready takes connections, or has ended."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
        else:
            return
        with suppress(subprocess.TimeoutExpired):
            raise RuntimeError(f"{process.args} ended with {process.wait(0.02)} before it took a connection")


def connect(port: int) -> socket.socket:
    """A connection that sends small commands at once."""
    connection = socket.create_connection((HOST, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
