"""The tables of docs/reference.md say what the code says.

They stand between ``<!-- name -->`` and ``<!-- end -->``. ``python tests/docs/test_reference.py`` writes them anew.
"""

import argparse
import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import mockmail
from mockmail import Account, Endpoint, Event, Folder, Message, MockMail, StoredMessage
from mockmail.auth.mechanisms import MECHANISMS
from mockmail.cli import _parser
from mockmail.config import setting_fields
from mockmail.extensions import Extension
from mockmail.imap import extensions as imap
from mockmail.mime import report
from mockmail.mime.text import Attachment
from mockmail.pop3 import extensions as pop3
from mockmail.premises import Addresses, Outages
from mockmail.profiles import PROFILES
from mockmail.smtp import extensions as smtp
from mockmail.testing.archives import Archives
from mockmail.testing.assert_delivery import DeliveryAssertions
from mockmail.testing.assert_reading import ReadingAssertions
from mockmail.testing.assert_sessions import SessionAssertions
from mockmail.testing.faults import SCENARIOS
from mockmail.testing.handover import SettingsFor
from mockmail.testing.kinds import KINDS
from mockmail.testing.seeding import Seeding
from mockmail.wire.certificates import Trust

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference.md"
TABLE = re.compile(r"(<!-- (?P<name>(?!end )[\w ]+) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def said(text: str | None) -> str:
    """A docstring as one line of Markdown."""
    assert text
    text = re.sub(r":\w+:`~?(?:mockmail\.)?(?:[\w.]*\.)?(\w+)`", r"``\1``", inspect.cleandoc(text))
    return " ".join(text.replace("``", "`").split())


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def settings() -> str:
    rows = ((f"`{row.name}`", row.help, f"`{row.default!r}`") for row in setting_fields())
    return table(("setting", "meaning", "default"), rows)


def profiles() -> str:
    protocols = ("smtp", "pop3", "imap")
    rows = (
        (f"`{profile.name}`", *("all" if (names := profile.names(one)) is None else code(names) for one in protocols))
        for profile in PROFILES.values()
    )
    return table(("profile", "SMTP", "POP3", "IMAP"), rows)


def tls() -> str:
    rows = (
        (f"`{name}`", ", ".join(f"`{value!r}`" for value in get_args(hint)), f"`{getattr(mockmail.TLS, name)!r}`")
        for name, hint in get_type_hints(mockmail.TLS).items()
    )
    return table(("argument", "values", "default"), rows)


def criteria() -> str:
    return table(("of", "criteria"), ((f"`{name}`", code(kind.fields)) for name, kind in KINDS.items()))


def signature(name: str, function: Callable[..., object]) -> str:
    """The call as a reader needs it: criteria are told of elsewhere."""
    shown = []
    named_only = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            shown.append(f"**{parameter.name}")
        elif parameter.kind is parameter.VAR_POSITIONAL:
            shown.append(f"*{parameter.name}")
            named_only = True
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not named_only:
                shown.append("*")
                named_only = True
            default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
            shown.append(parameter.name + default)
    return f"`{name}({', '.join(shown)})`"


def members(*classes: type) -> Iterator[tuple[str, str]]:
    """Public methods and properties with their docstrings, in the order of the source."""
    for owner in classes:
        for name, value in vars(owner).items():
            if name.startswith("_"):
                continue
            if isinstance(value, property):
                yield f"`{name}`", said(value.__doc__)
            elif inspect.isfunction(value):
                yield signature(name, value), said(value.__doc__)


def of(*classes: type) -> Callable[[], str]:
    return lambda: table(("name", "meaning"), members(*classes))


_INTERNAL = {"world", "call", "neighbours", "reset_to", "report_sections", "transcript_text", "late_mail", "outage"}
"""Public for the rooms below it alone."""


def server() -> str:
    # What a part only promises, a later one has.
    rows = {
        name.strip("`").partition("(")[0]: (name, text)
        for name, text in members(Addresses, Outages, Seeding, Archives, MockMail)
    }
    return table(("name", "meaning"), (row for name, row in rows.items() if name not in _INTERNAL))


def events() -> str:
    def rows() -> Iterator[tuple[str, str, str]]:
        for name in mockmail.__all__:
            kind = getattr(mockmail, name)
            if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event:
                names = [field.name for field in dataclasses.fields(kind) if field.name != "at"]
                yield f"`{name}`", said(kind.__doc__), ", ".join(f"`{one}`" for one in names)

    return table(("event", "what happened", "fields, besides `at`"), rows())


def extensions(rows: Iterable[Extension]) -> str:
    return table(
        ("name", "RFC", "commands", "parameters"),
        (
            (f"`{row.name}`", row.rfc.removeprefix("RFC "), code(row.commands), code(row.parameters))
            for row in rows
            if row.name != "IMAP4REV1"
        ),
    )


def scenarios() -> str:
    return table(("scenario", "what happens"), ((f"`{name}`", said(make.__doc__)) for name, make in SCENARIOS.items()))


def flags() -> str:
    (commands,) = (one for one in _parser(["serve"])._actions if isinstance(one, argparse._SubParsersAction))
    ours = {"--" + row.name.replace("_", "-") for row in setting_fields()}
    rows = (
        (
            f"`{action.option_strings[0]}{' ' + action.metavar if isinstance(action.metavar, str) else ''}`",
            (action.help or "").replace("%%", "%"),
        )
        for action in commands.choices["serve"]._actions
        if action.option_strings[0] not in ours and action.option_strings[0] != "-h"
    )
    return table(("flag", "meaning"), rows)


def commands(protocol: str) -> Callable[[], str]:
    names = {
        "smtp": lambda: smtp.COMMANDS,
        "pop3": lambda: pop3.BASE_COMMANDS,
        "imap": lambda: next(row.commands for row in imap.EXTENSIONS if row.name == "IMAP4REV1"),
    }[protocol]
    return lambda: code(names()) + "\n"


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "profiles": profiles,
    "criteria": criteria,
    "server": server,
    "endpoint": lambda: table(
        ("name", "meaning"),
        [
            ("`protocol`, `host`, `port`", "Where it is."),
            *((name, text) for name, text in members(Endpoint) if name in ("`address`", "`url`")),
        ],
    ),
    "tls": tls,
    "trust": of(Trust),
    "delivery": of(DeliveryAssertions),
    "reading": of(ReadingAssertions),
    "sessions": of(SessionAssertions),
    "handover": of(SettingsFor),
    "account": of(Account),
    "folder": of(Folder),
    "events": events,
    "flags": flags,
    "scenarios": lambda: table(
        ("scenario", "what happens"), ((f"`{n}`", said(f.__doc__)) for n, f in SCENARIOS.items())
    ),
    "mechanisms": lambda: code(MECHANISMS) + "\n",
    "smtp extensions": lambda: extensions(smtp.EXTENSIONS),
    "pop3 extensions": lambda: extensions(pop3.EXTENSIONS),
    "imap extensions": lambda: extensions(imap.EXTENSIONS),
    "smtp commands": commands("smtp"),
    "pop3 commands": commands("pop3"),
    "imap commands": commands("imap"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_the_code_says(name: str) -> None:
    found = {match["name"]: match["table"] for match in TABLE.finditer(REFERENCE.read_text(encoding="utf-8"))}
    assert found.get(name) == TABLES[name](), "python tests/docs/test_reference.py writes the tables anew"


def test_the_reference_has_every_exported_name() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert [name for name in mockmail.__all__ if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("kind", [Message, StoredMessage, Attachment])
def test_the_reference_has_every_field_of_messages(kind: type) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    names = {name for name in dir(kind) if not name.startswith("_")}
    inner = {"derived", "header", "header_addresses", "hidden_words", "part", "texts"}
    assert [name for name in sorted(names - inner) if f"`{name}" not in text] == []


def test_the_reference_has_every_criterion() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    cells = {
        name for line in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, re.MULTILINE) for name in line.split(", ")
    }
    assert {f"`{name}`" for kind in KINDS.values() for name in kind.fields} - cells == set()


@pytest.mark.parametrize(
    "kind", [report.AbuseReport, report.DeliveryReport, report.Disposition, report.DispositionReport]
)
def test_the_reference_has_every_field_of_reports(kind: type) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert [name for name in dir(kind) if not name.startswith("_") and f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(report.ReportedRecipient)])
def test_the_reference_has_every_field_of_reported_recipients(name: str) -> None:
    assert f"`{name}`" in REFERENCE.read_text(encoding="utf-8")


def test_the_reference_has_every_fixture() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    plugin = importlib.import_module("mockmail.pytest_plugin")
    fixtures = [
        name
        for name, value in vars(plugin).items()
        if "fixture" in type(value).__name__.lower() and not name.startswith("_")
    ]
    assert fixtures
    assert [name for name in fixtures if f"`{name}`" not in text] == []


def write() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    text = TABLE.sub(lambda match: match[1] + TABLES[match["name"]]() + match[4], text)
    REFERENCE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
