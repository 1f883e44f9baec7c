"""Programs of the operating system that the tests drive."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    """``program("curl")`` gives a function that runs it and fails with what it printed when it fails.

    A program that is not installed skips the test, unless MOCKMAIL_REQUIRE_PROGRAMS is set, as it is in CI.
    """

    def find(name: str) -> Program:
        path = shutil.which(name)
        if path is None:
            if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS"):
                pytest.fail(f"{name} is not installed")
            pytest.skip(f"{name} is not installed")

        def run(
            *arguments: object, ok: tuple[int, ...] = (0,), stdin: bytes = b"", **environ: str
        ) -> subprocess.CompletedProcess[bytes]:
            ran = subprocess.run(
                [path, *map(str, arguments)],
                input=stdin,
                capture_output=True,
                timeout=60,
                cwd=tmp_path,
                env={**os.environ, "HOME": str(tmp_path), **environ},
                check=False,
            )
            assert ran.returncode in ok, f"{name} ended with {ran.returncode}\n{ran.stdout!r}\n{ran.stderr.decode()}"
            return ran

        return run

    return find
