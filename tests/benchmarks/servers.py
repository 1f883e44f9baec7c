"""Contenders that are programs of their own: node's smtp-server, Postfix's smtp-sink, Dovecot. Each raises
``Unavailable`` where it is not installed."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from child import free_port
from corpus import mailbox_message
from harness import Unavailable
from subjects import HERE, HOST, Subject, wait_for_port

SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def program(name: str, package: str) -> str:
    """Path of a program, which need not be on an ordinary user's search path."""
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise Unavailable(f"{name} is not installed (Debian: apt-get install {package}).")
    return found


@contextmanager
def smtp_server() -> Iterator[Subject]:
    """node's smtp-server, from the modules that run.py installed beside the Python peers."""
    node = program("node", "nodejs npm")
    modules = Path(sys.prefix) / "node" / "node_modules"
    if not (modules / "smtp-server").is_dir():
        raise Unavailable(f"smtp-server is not in {modules}; run.py installs it when npm is there.")
    command = [node, str(HERE / "smtp_server.js")]
    environment = {**os.environ, "NODE_PATH": str(modules), "NODE_ENV": "production"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Subject("smtp-server", json.loads(process.stdout.readline()), process.stdin, process.stdout)
        finally:
            process.kill()


@contextmanager
def smtp_sink() -> Iterator[Subject]:
    """Postfix's smtp-sink, which throws away what comes."""
    port = free_port()
    # As root it will not run without being told who else to be.
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    command = [program("smtp-sink", "postfix"), *user, f"{HOST}:{port}", "1024"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for_port(process, port)
            yield Subject("smtp-sink", {"smtp": port})
        finally:
            process.kill()


DOVECOT_CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = pop3
listen = {host}
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{home}/mail
mail_fsync = never
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/user
}}
service anvil {{
  chroot =
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


@contextmanager
def dovecot(count: int) -> Iterator[Subject]:
    """A Dovecot of its own, with its own configuration, user and directory, and a Maildir of ``count`` messages. Its
    index and its cache of sizes are built before anything is measured."""
    command = program("dovecot", "dovecot-pop3d")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-dovecot-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        configuration = home / "dovecot.conf"
        configuration.write_text(_configuration(home, port), encoding="utf-8")
        _fill_maildir(home, count)
        with subprocess.Popen([command, "-F", "-c", str(configuration)]) as process:
            try:
                wait_for_port(process, port)
                subject = Subject("dovecot", {"pop3": port})
                subject.notes["seeded"] = True
                yield subject
            finally:
                process.terminate()


def _mail_user() -> tuple[int, int]:
    """Dovecot keeps no mail for root."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _configuration(home: Path, port: int) -> str:
    uid, gid = _mail_user()
    me = pwd.getpwuid(os.getuid()).pw_name
    root = os.getuid() == 0
    return DOVECOT_CONFIGURATION.format(
        home=home,
        host=HOST,
        port=port,
        uid=uid,
        gid=gid,
        internal="dovecot" if root else me,
        internal_group="dovecot" if root else "",
        login="dovenull" if root else me,
    )


def _fill_maildir(home: Path, count: int) -> None:
    uid, gid = _mail_user()
    current = home / "mail" / "cur"
    for folder in (home / "user", home / "mail", home / "mail" / "new", home / "mail" / "tmp", current):
        folder.mkdir(exist_ok=True)
        os.chown(folder, uid, gid)
    for number in range(count):
        message = mailbox_message(number)
        # Named as Dovecot's own delivery names it: with the size on disk (S) and on the wire (W).
        path = current / f"{1700000000 + number}.{number}.bench,S={len(message)},W={len(message)}:2,"
        path.write_bytes(message)
        os.chown(path, uid, gid)
