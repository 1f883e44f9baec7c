import asyncio
import gc
import subprocess
import sys

import pytest
from aiosmtpd.smtp import SMTP

from mockmail.smtp.interpreter import PRIVATE_NAMES, Interpreter, open_interpreter


class Recorder:
    """Commands that say which of them was called."""

    hello = "EHLO"

    def __init__(self) -> None:
        self.needs_login = False

    def authentication_missing(self):
        return self.needs_login

    def understands(self, command):
        return command != "VRFY"

    def helo(self, host):
        return f"250 {host}"

    def ehlo(self, host):
        return f"250 {host}\nSIZE" if host else "501 no"

    def mail(self, argument):
        return f"250 mail {argument}"

    rcpt = data = bdat = auth = vrfy = expn = quit = mail

    def rset(self):
        return "250 2.0.0 OK"


@pytest.fixture
def interpreter():
    one = open_interpreter(Recorder())
    yield one
    one.close()


def test_a_command_runs_in_one_step(interpreter):
    assert interpreter.run("EHLO", "x") == "250 x\nSIZE"
    assert interpreter.run("MAIL", "FROM:<Case@Kept> Too=Yes") == "250 mail FROM:<Case@Kept> Too=Yes"


@pytest.mark.parametrize(
    ("command", "argument", "reply"),
    [
        ("MAIL", "x", "503 5.5.1 Error: send EHLO first"),
        ("HELO", None, "501 Syntax: HELO hostname"),
        ("RSET", "x", "501 5.5.4 Syntax: RSET"),
        ("RSET", None, "250 2.0.0 OK"),
        ("NOOP", "x", "250 2.0.0 OK"),
        ("BDAT", "1", "503 5.5.1 Error: send EHLO first"),
        (
            "HELP",
            "VRFY",
            "501 5.5.4 Supported commands: AUTH BDAT DATA EHLO EXPN HELO HELP LHLO MAIL NOOP QUIT RCPT RSET STARTTLS",
        ),
    ],
)
def test_replies_of_aiosmtpd_get_status_codes(interpreter, command, argument, reply):
    assert interpreter.run(command, argument) == reply


def test_a_missing_login_is_asked_for(interpreter):
    interpreter.run("EHLO", "x")
    interpreter.commands.needs_login = True
    for command in ("MAIL", "RCPT", "DATA", "BDAT", "VRFY", "EXPN", "HELP"):
        assert interpreter.run(command, None) == "530 5.7.0 Authentication required"


def test_a_command_that_suspends_is_a_bug(interpreter):
    async def waits(argument):
        await asyncio.sleep(0)

    interpreter._smtp_methods["WAIT"] = waits
    try:
        with pytest.raises(RuntimeError, match="WAIT suspended"):
            interpreter.run("WAIT", None)
    finally:
        del interpreter._smtp_methods["WAIT"]


def test_interpreters_are_used_again_and_know_nothing_of_before():
    first = open_interpreter(Recorder())
    first.run("EHLO", "x")
    first.close()
    second = open_interpreter(Recorder())
    assert second is first
    assert second.run("MAIL", None) == "503 5.5.1 Error: send EHLO first"
    second.close()


def test_two_at_once_are_two():
    one, other = open_interpreter(Recorder()), open_interpreter(Recorder())
    assert one is not other
    one.run("EHLO", "x")
    assert other.run("MAIL", None).startswith("503")
    one.close()
    other.close()


# What we rely on in aiosmtpd and it does not promise


def test_the_private_names_are_there():
    stock = SMTP(object(), hostname="x", loop=_NoWait())
    for name in PRIVATE_NAMES:
        assert hasattr(stock, name), name


def test_commands_are_found_in_a_dictionary_of_bound_methods(interpreter):
    stock = {name.removeprefix("smtp_") for name in dir(SMTP) if name.startswith("smtp_")}
    assert set(interpreter._smtp_methods) == stock | {"BDAT", "LHLO"}
    for name, method in interpreter._smtp_methods.items():
        assert method.__self__ is interpreter, name
        assert asyncio.iscoroutinefunction(method) if sys.version_info < (3, 14) else callable(method)


def test_only_our_hooks_are_hooks(interpreter):
    assert set(interpreter._handle_hooks) == {"HELO", "RSET"}


def test_a_session_is_made_anew_with_what_commands_look_at(interpreter):
    session = interpreter._create_session()
    assert session.host_name is None
    assert session.extended_smtp is False
    assert session is not interpreter._create_session()


def test_class_level_limits_of_aiosmtpd_are_left_alone():
    SMTP.command_size_limits["MAIL"] = 1
    try:
        Interpreter()
        assert SMTP.command_size_limits["MAIL"] == 1
    finally:
        SMTP.command_size_limits.clear()


def test_making_one_needs_no_loop_and_leaves_nothing_behind():
    one = Interpreter()
    del one
    gc.collect()


def test_nothing_asks_the_resolver(monkeypatch):
    def refuse():
        raise AssertionError("getfqdn was called")

    monkeypatch.setattr("socket.getfqdn", refuse)
    Interpreter()


def test_the_package_does_not_import_aiosmtpd_by_itself():
    script = "import sys, mockmail, mockmail.smtp.commands; assert 'aiosmtpd' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


class _NoWait:
    def create_future(self):
        return asyncio.Future(loop=self)

    def get_debug(self):
        return False
