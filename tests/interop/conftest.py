"""Programs of the operating system that the tests drive."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    """``program("curl")`` gives a function that runs it and fails with what it printed when it fails.

    A program that is not installed skips the test, unless MOCKMAIL_REQUIRE_PROGRAMS is set, as it is in CI.
    """

    def find(name: str) -> Program:
        # Debian keeps programs of mail servers where only root looks.
        path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
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


@pytest.fixture(scope="session")
def nodemailer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """``nodemailer(transport, message)``: what nodemailer says when it sends this. Installed once a run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS"):
            pytest.fail("node and npm are not installed")
        pytest.skip("node and npm are not installed")
    home = tmp_path_factory.mktemp("nodemailer")
    install = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", "nodemailer@7"]
    subprocess.run(install, check=True, timeout=120, capture_output=True)
    script = home / "send.cjs"
    script.write_text(
        "const [transport, message] = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n"
        "const mailer = require('nodemailer').createTransport(transport);\n"
        "mailer.sendMail(message).then((info) => console.log(JSON.stringify(info)), (error) => {\n"
        "  console.error(error); process.exit(1); }).finally(() => mailer.close());\n"
    )

    def send(transport: dict[str, Any], message: dict[str, Any], **environ: str) -> dict[str, Any]:
        ran = subprocess.run(
            [node, script],
            input=json.dumps([transport, message]).encode(),
            capture_output=True,
            timeout=60,
            env={**os.environ, **environ},
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        info: dict[str, Any] = json.loads(ran.stdout)
        return info

    return send
