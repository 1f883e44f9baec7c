"""aiosmtpd's ``SMTP`` as the interpreter of commands, without its reader, writer, timers and loop. The only module
that imports aiosmtpd, and itself imported only when a server starts.

Each command runs to its end in one step: whatever it awaits must be ready. Instances are reused for connection after
connection, because making one costs a hundred times what opening it anew does.
"""

# ruff: noqa: N802  aiosmtpd finds its methods by these names

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, AnyStr, Protocol

from aiosmtpd.smtp import SMTP, syntax

from mockmail.smtp.replies import with_status_code

__all__ = ["PRIVATE_NAMES", "Commands", "Interpreter", "open_interpreter"]

PRIVATE_NAMES = ("_smtp_methods", "_handle_hooks", "_create_session", "_set_rset_state", "_syntax_available")
"""What we rely on and aiosmtpd does not promise; a test holds each to what we expect of it."""

_FREE_LIMIT = 64


class Commands(Protocol):
    """Who carries out what this interpreter has only read. Each call returns the reply."""

    hello: str
    needs_login: bool

    def helo(self, host: str) -> str: ...
    def ehlo(self, host: str | None) -> str: ...
    def mail(self, argument: str | None) -> str: ...
    def rcpt(self, argument: str | None) -> str: ...
    def data(self, argument: str | None) -> str: ...
    def bdat(self, argument: str | None) -> str: ...
    def starttls(self, argument: str | None) -> str: ...
    def auth(self, argument: str | None) -> str: ...
    def vrfy(self, argument: str | None) -> str: ...
    def expn(self, argument: str | None) -> str: ...
    def rset(self) -> str: ...
    def quit(self, argument: str | None) -> str: ...
    def authentication_missing(self) -> bool: ...
    def understands(self, command: str) -> bool: ...


class _NoLoop:
    """Stands where aiosmtpd wants an event loop: nothing that we use of it ever waits."""

    def create_future(self) -> _NoLoop:
        return self

    def get_debug(self) -> bool:
        return False

    def done(self) -> bool:
        return False


class _Hooks:
    """The handler. aiosmtpd looks at every attribute of it, so it has these and no others."""

    __slots__ = ()

    async def handle_HELO(self, server: Interpreter, session: Any, envelope: Any, host: str) -> str:
        reply = server.commands.helo(host)
        if reply.startswith("250"):
            session.host_name = host
        return reply

    async def handle_RSET(self, server: Interpreter, session: Any, envelope: Any) -> str:
        return server.commands.rset()


class Interpreter(SMTP):
    """Reads commands for one connection at a time, from :func:`open_interpreter` to :meth:`close`."""

    # aiosmtpd's own is one dictionary for all instances, emptied by each new one.
    command_size_limits: dict[str, int] = {}  # noqa: RUF012
    commands: Commands

    def __init__(self) -> None:
        # A host name keeps it from asking the resolver for ours.
        super().__init__(
            _Hooks(),
            data_size_limit=None,
            enable_SMTPUTF8=True,
            hostname="localhost",
            loop=_NoLoop(),  # type: ignore[arg-type]
        )
        self._replies: list[str] = []

    def open(self, commands: Commands) -> None:
        """Begin anew, for another connection."""
        self.commands = commands
        self._called: dict[str, Callable[[str | None], str]] = {
            "MAIL": commands.mail,
            "RCPT": commands.rcpt,
            "DATA": commands.data,
            "BDAT": commands.bdat,
            "QUIT": commands.quit,
        }
        self._replies.clear()
        self.session = self._create_session()
        self._set_rset_state()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Go back to the free list."""
        del self.commands, self._called
        if len(_free) < _FREE_LIMIT:
            _free.append(self)

    @property
    def called(self) -> dict[str, Callable[[str | None], str]]:
        """Commands of which nothing is left to interpret just now: they are only called on, and a coroutine that does
        so is a tenth of what a command costs."""
        commands = self.commands
        assert self.session is not None  # made by open()
        if self.session.host_name and not (commands.needs_login and commands.authentication_missing()):
            return self._called
        return {}

    def run(self, command: str, argument: str | None) -> str:
        """Carry out one command, in capitals; returns its one reply. Raises what the command raised, ``KeyError`` for
        a command that there is not, ``RuntimeError`` for one that wanted to wait."""
        called = self.called.get(command)
        if called is not None:
            return called(argument)
        coroutine: Coroutine[Any, Any, None] = self._smtp_methods[command](argument)
        self._replies.clear()
        try:
            coroutine.send(None)
        except StopIteration:
            return self._replies[0]
        coroutine.close()
        raise RuntimeError(f"the command {command} suspended, which no command may do")

    async def push(self, status: AnyStr) -> None:
        """Take a reply instead of writing it."""
        reply = status.decode() if isinstance(status, bytes) else status
        self._replies.append(reply if self._greets else with_status_code(reply))

    _greets = False

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Whether to stop here, because the client has to log in first."""
        if not self.commands.authentication_missing():
            return False
        await self.push("530 5.7.0 Authentication required")
        return True

    @syntax("HELO hostname")
    async def smtp_HELO(self, hostname: str | None) -> None:
        """Replies to HELO and EHLO have no status code (RFC 2034 section 3)."""
        self._greets = True
        try:
            await super().smtp_HELO(hostname)
        finally:
            self._greets = False

    @syntax("EHLO hostname")
    async def smtp_EHLO(self, hostname: str | None) -> None:
        reply = self.commands.ehlo(hostname)
        if reply.startswith("250"):
            # Its envelope is as open() left it: MAIL and RCPT are not aiosmtpd's.
            assert self.session is not None  # made by open()
            self.session.extended_smtp = True
            self.session.host_name = hostname
        self._replies.append(reply)

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, hostname: str | None) -> None:
        await self.smtp_EHLO(hostname)

    @syntax("HELP [command]")
    async def smtp_HELP(self, arg: str | None) -> None:
        await super().smtp_HELP(arg)
        # 250 says that a requested action is completed; help is 214 (RFC 5321 section 4.2.3).
        self._replies = ["214" + reply[3:] if reply.startswith("250") else reply for reply in self._replies]

    def _syntax_available(self, method: Any) -> bool:
        """HELP names what is understood and nothing else."""
        return super()._syntax_available(method) and self.commands.understands(method.__name__.removeprefix("smtp_"))

    @syntax("VRFY <address>")
    async def smtp_VRFY(self, arg: str | None) -> None:
        if not await self.check_auth_needed("VRFY"):
            await self.push(self.commands.vrfy(arg))

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_MAIL(self, arg: str | None) -> None:
        if not (await self.check_helo_needed(self.commands.hello) or await self.check_auth_needed("MAIL")):
            self._replies.append(self.commands.mail(arg))

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")
    async def smtp_RCPT(self, arg: str | None) -> None:
        if not (await self.check_helo_needed(self.commands.hello) or await self.check_auth_needed("RCPT")):
            self._replies.append(self.commands.rcpt(arg))

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:
        if not (await self.check_helo_needed(self.commands.hello) or await self.check_auth_needed("DATA")):
            self._replies.append(self.commands.data(arg))

    @syntax("BDAT <chunk-size> [LAST]")
    async def smtp_BDAT(self, arg: str | None) -> None:
        if not (await self.check_helo_needed(self.commands.hello) or await self.check_auth_needed("BDAT")):
            self._replies.append(self.commands.bdat(arg))

    @syntax("STARTTLS")
    async def smtp_STARTTLS(self, arg: str | None) -> None:
        self._replies.append(self.commands.starttls(arg))

    @syntax("AUTH <mechanism> [initial-response]")
    async def smtp_AUTH(self, arg: str | None) -> None:
        if not await self.check_helo_needed(self.commands.hello):
            self._replies.append(self.commands.auth(arg))

    @syntax("EXPN <list>")
    async def smtp_EXPN(self, arg: str | None) -> None:
        if not await self.check_auth_needed("EXPN"):
            await self.push(self.commands.expn(arg))

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str | None) -> None:
        self._replies.append(self.commands.quit(arg))


_free: list[Interpreter] = []


def open_interpreter(commands: Commands) -> Interpreter:
    """An interpreter for a new connection."""
    try:
        interpreter = _free.pop()
    except IndexError:  # not asked for beforehand: the loop thread of another server may take the last one
        interpreter = Interpreter()
    interpreter.open(commands)
    return interpreter
