"""The command ``mockmail``.

Exit status: 0 when all went well (``serve``: when stopped by a signal), 1 when ``ready`` or ``wait`` waited in vain or
something failed inside the servers, 2 for wrong usage, 3 when a port cannot be bound; with ``--exec`` the status of the
command; of ``send`` those of sendmail.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import PurePath

__all__ = ["main"]

EXIT_SERVER_ERROR = 1
EXIT_USAGE = 2
EXIT_PORT = 3
EXIT_INTERRUPTED = 130
"""As a shell tells of SIGINT."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and PurePath(sys.argv[0]).stem == "sendmail":
        words.insert(0, "send")  # by a link of that name, for programs that call no other
    try:
        status = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has read enough, as `| head` does; Python would complain once more when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def _run(words: list[str]) -> int:
    from mockmail.errors import MockMailError, ServerError

    if words[:1] == ["send"] and words[1:] not in (["--help"], ["-h"]):
        from mockmail.commands.sendmail import send

        return send(words[1:])
    # argparse would read the options of a command that follows --exec as our own.
    at = words.index("--exec") + 1 if "--exec" in words else len(words)
    words, command = words[:at], words[at:]
    given = _parser(words).parse_args(words)
    try:
        if given.command == "demo":
            from mockmail.demo import play

            return play(sys.stdout)
        if given.command in ("ready", "wait"):
            from mockmail.commands import asking

            return asking.ready(given) if given.command == "ready" else asking.wait(given)
        from mockmail.commands.serve import serve

        return serve(given, command[1:] if command[:1] == ["--"] else command)
    except ServerError as error:
        print(f"mockmail: {error}", file=sys.stderr)
        return EXIT_SERVER_ERROR
    except MockMailError as error:
        print(f"mockmail: {error}", file=sys.stderr)
        return EXIT_PORT if isinstance(error.__cause__, OSError) else EXIT_USAGE


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    from importlib.metadata import version

    parser = argparse.ArgumentParser(prog="mockmail", description="The mail system your tests talk to.")
    parser.add_argument("--version", action="version", version=f"mockmail {version('mockmail')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("demo", help="play the story of two messages that cross servers, on real sockets, and print it")
    serve = commands.add_parser(
        "serve",
        help="run SMTP, POP3, IMAP and HTTP servers until stopped",
        description="Run SMTP, POP3, IMAP and (with the extra http) HTTP servers over one in-memory store. Each"
        " setting can be given as a flag or as an environment variable; the flag wins. Mailpit's MP_* variables are"
        " read, too.",
    )
    ready = commands.add_parser("ready", help="wait until a server answers")
    wait = commands.add_parser("wait", help="wait until mail arrives, and print it as JSON")
    commands.add_parser(
        "send",
        help="send the message on standard input, as sendmail does",
        usage="mockmail send [-t] [-i] [-f SENDER] [-F NAME] [-bs] [--url smtp://HOST:PORT] [recipient ...]",
        description="Send the message on standard input to the server, as sendmail does. -t: to those whom its To, Cc"
        " and Bcc name, and without Bcc. -i: a line with a dot alone does not end it. -f: its envelope sender. -F: the"
        " name in a From that is added. -bs: speak SMTP on standard input and output. Other options of sendmail are"
        " taken and have no effect.",
    )
    if "serve" in words:
        from mockmail.commands.options import add_serve_options

        add_serve_options(serve)
    elif "ready" in words or "wait" in words:
        from mockmail.commands.asking import add_options

        add_options(ready, wait)
    return parser
