"""The pytest plugin. It is loaded in every test run of an environment, so it imports pytest and typing alone; all else
comes with the first fixture that is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Generator
    from pathlib import Path

    from mockmail.config import Settings
    from mockmail.factories import MailNetworkFactory, MockMailFactory
    from mockmail.network import MailNetwork
    from mockmail.server import MockMail
    from mockmail.testing.shared import SharedMail

# Name, type and help of each ini option mockmail_<name>: the table of mockmail.config.Settings, which is not imported
# here because it would be in runs that send no mail. A test compares the two.
_INI_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("users", "linelist", "who may log in, as address:password lines; unset: anybody with a password"),
    ("unknown_recipients", "string", "create an account for an unknown local recipient, or refuse it with 550 5.1.1"),
    ("domains", "linelist", "domains delivered here; unset: every domain"),
    ("host", "string", "address to bind"),
    ("smtp_port", "string", "SMTP port; 0: the system chooses, none: not started"),
    ("lmtp_port", "string", "LMTP port; 0: the system chooses, none: not started"),
    ("pop3_port", "string", "POP3 port; 0: the system chooses, none: not started"),
    ("imap_port", "string", "IMAP port; 0: the system chooses, none: not started"),
    ("smtps_port", "string", "SMTP port with TLS from the first byte; auto: a free one with tls, none: not started"),
    ("pop3s_port", "string", "POP3 port with TLS from the first byte; auto: a free one with tls, none: not started"),
    ("imaps_port", "string", "IMAP port with TLS from the first byte; auto: a free one with tls, none: not started"),
    ("http_port", "string", "port of the HTTP API and the web page; 0: the system chooses, none: not started"),
    ("http_auth", "string", "user:password that HTTP clients must give; unset: anybody"),
    ("http_hosts", "linelist", "names that HTTP clients may call the server by, besides localhost, addresses and host"),
    ("http_origins", "linelist", "origins of other web pages that may use the HTTP API, such as http://localhost:3000"),
    ("tls", "string", "true, or how TLS misbehaves, such as certificate=expired,starttls=hide"),
    ("require_auth", "bool", "refuse mail from clients that have not logged in"),
    ("require_tls", "bool", "refuse mail and logins in plain text"),
    ("relay", "string", "who may send to domains that are not local: authenticated, open, none"),
    ("routes", "linelist", "where mail for other domains goes, as domain=host:port"),
    ("smarthost", "string", "next hop for all other domains, as smtp://user:password@host:port"),
    (
        "relay_allow",
        "linelist",
        "the only recipients that mail may be relayed to: addresses, domains, *@partner.test, /regular expressions/",
    ),
    ("retry_every", "string", "how long mail waits between attempts"),
    ("retry_for", "string", "how long mail is tried before it bounces"),
    ("retry_schedule", "string", "delays between attempts instead, such as 5m,30m,2h; it bounces after the last"),
    ("relay_timeout", "string", "seconds that a next hop outside of our network has for each answer"),
    ("plus_tags", "bool", "deliver bob+tag@ to bob@"),
    ("trace_headers", "bool", "put Return-Path and Received on top of stored mail"),
    ("profile", "string", "how the server behaves and what it advertises: standard, minimal"),
    ("hide", "linelist", "capabilities taken away, as protocol=NAME NAME"),
    ("advertise", "linelist", "capability words added to what is advertised, as protocol=NAME NAME"),
    ("max_message_bytes", "string", "largest message taken"),
    ("max_messages", "string", "how many messages are kept; the oldest goes first"),
    ("max_age", "string", "how long delivered messages are kept, such as 12h or 7d; unset: for good"),
    ("pop3_login_delay_seconds", "string", "seconds that POP3 wants between two logins to one account; 0: none"),
    (
        "pop3_expire_days",
        "string",
        "days for which POP3 promises to keep mail; 0: what RETR has read goes at QUIT, never: for good",
    ),
    ("timeout", "string", "seconds that a waiting assertion waits"),
)
_NEEDS_ANOTHER_SERVER = frozenset(
    {
        "host",
        "smtp_port",
        "lmtp_port",
        "pop3_port",
        "imap_port",
        "smtps_port",
        "pop3s_port",
        "imaps_port",
        "http_port",
        "tls",
    }
)
_SERVERS: pytest.StashKey[list[MockMail | SharedMail]] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()
_MARKER = (
    "mockmail(**settings): settings of mockmail.MockMail for this test, such as users={'bob@example.test': 'secret'}"
    " or profile='minimal'."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, kind, text in _INI_OPTIONS:
        parser.addini(f"mockmail_{name}", f"mockmail: {text}", type=kind, default=None)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


def pytest_report_header(config: pytest.Config) -> str:
    users = [line.partition(":")[0].strip() for line in config.getini("mockmail_users") or ()]
    logins = ",".join(users) if users else "any"
    profile = config.getini("mockmail_profile") or "standard"
    timeout = float(config.getini("mockmail_timeout") or 5.0)
    tls = " ".join((config.getini("mockmail_tls") or "off").split())
    return f"mockmail: profile={profile}, tls={tls}, logins={logins}, timeout={timeout:g}s"


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    servers = item.stash.get(_SERVERS, [])
    if servers and call.excinfo is not None and call.when in ("setup", "call"):
        item.stash[_FAILED] = True
        for server in servers:
            for title, text in server.report_sections(told=str(call.excinfo.value)):
                item.add_report_section(call.when, f"mockmail {title}", text)
    return (yield)


def _settings_from_ini(config: pytest.Config) -> Settings:
    from mockmail.config import Settings

    texts: dict[str, str] = {}
    for name, kind, _ in _INI_OPTIONS:
        value = config.getini(f"mockmail_{name}")
        if value is None or value == [] or value == "":
            continue
        texts[name] = "\n".join(value) if kind == "linelist" else str(value)
    environment = Settings.from_env()
    try:
        from_ini = environment.updated_from_texts(texts, name_of=lambda name: f"the ini option mockmail_{name}")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    return from_ini


def _marker_settings(item: pytest.Item) -> dict[str, Any]:
    """Settings of all markers ``mockmail`` that hold for a test, the nearest one last."""
    settings: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("mockmail"))):
        if marker.args:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker mockmail takes settings by keyword; write"
                f" @pytest.mark.mockmail(profile='minimal'), not {marker.args!r}."
            )
        settings.update(marker.kwargs)
    return settings


def _with_marker(item: pytest.Item, settings: Settings, overrides: dict[str, Any]) -> Settings:
    __tracebackhide__ = True
    if not overrides:
        return settings  # the very same: a reset to it need not check it again
    try:
        return settings.updated(**overrides)
    except ValueError as error:
        raise pytest.UsageError(f"{item.nodeid}: in the marker mockmail: {error}") from None


def _watch(item: pytest.Item, server: MockMail | SharedMail) -> None:
    """Have the server's transcript in the report if this test fails."""
    item.stash.setdefault(_SERVERS, []).append(server)


@pytest.fixture(scope="session")
def mockmail_settings(pytestconfig: pytest.Config) -> Settings:
    """Settings for all mockmail servers of the run; override it in a conftest with dataclasses.replace()."""
    return _settings_from_ini(pytestconfig)


@pytest.fixture(scope="session")
def _mockmail_certificates(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Generator[None, None, None]:
    """Where the throw-away authority is kept: one for all pytest-xdist workers of the run."""
    from mockmail.wire.certificates import shared_directory

    with shared_directory(lambda: _run_directory(pytestconfig, tmp_path_factory)):
        yield


def _run_directory(config: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all pytest-xdist workers of the run have in common, open to this user alone."""
    # The base directory of a worker stands in that of the run.
    base = tmp_path_factory.getbasetemp()
    # Not by the environment: a pytest that a test of a worker starts has that too.
    return base.parent if hasattr(config, "workerinput") else base


@pytest.fixture(scope="session")
def mockmail_server(mockmail_settings: Settings, _mockmail_certificates: None) -> Generator[MockMail, None, None]:
    """The run's one mail server: ports stay for the whole session, mail does too unless `mockmail` resets it."""
    from mockmail.server import MockMail

    with MockMail(mockmail_settings) as server:
        yield server


@pytest.fixture
def mockmail(
    request: pytest.FixtureRequest, mockmail_settings: Settings, _mockmail_certificates: None
) -> Generator[MockMail, None, None]:
    """A mail system for this test: real SMTP, POP3 and IMAP servers, empty at the start of each test."""
    item: pytest.Item = request.node
    overrides = _marker_settings(item)
    settings = _with_marker(item, mockmail_settings, overrides)
    own = sorted(
        name
        for name in overrides.keys() & _NEEDS_ANOTHER_SERVER
        if getattr(settings, name) != getattr(mockmail_settings, name)
    )
    if own:
        if "mockmail_server" in request.fixturenames:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker mockmail sets {', '.join(own)}, which needs a server of its own, but the"
                " test also asks for mockmail_server; drop one of the two."
            )
        from mockmail.server import MockMail

        with MockMail(settings) as server:
            _watch(item, server)
            yield server
        return
    shared: MockMail = request.getfixturevalue("mockmail_server")
    shared.reset_to(settings)
    _watch(item, shared)
    yield shared
    shared.check()
    if not item.stash.get(_FAILED, False):  # a test that failed early need not have come so far
        shared.faults.warn_of_unused()


@pytest.fixture
def mockmail_factory(
    request: pytest.FixtureRequest, mockmail_settings: Settings, _mockmail_certificates: None
) -> Generator[MockMailFactory, None, None]:
    """Start more mail servers: mockmail_factory(domains=["a.test"]) gives a running one, stopped after the test."""
    from contextlib import ExitStack

    from mockmail.server import MockMail

    with ExitStack() as stack:

        def start(**settings: Any) -> MockMail:
            __tracebackhide__ = True
            server = stack.enter_context(MockMail(mockmail_settings, **settings))
            _watch(request.node, server)
            return server

        yield start


@pytest.fixture
def mockmail_network(
    request: pytest.FixtureRequest, mockmail_settings: Settings
) -> Generator[MailNetworkFactory, None, None]:
    """Start mail servers that relay to each other: mockmail_network("alice.test", "bob.test"), joined by MX records and
    one clock."""
    from contextlib import ExitStack

    from mockmail.network import MailNetwork

    with ExitStack() as stack:

        def start(*servers: str | Collection[str], settings: Settings | None = None) -> MailNetwork:
            network = stack.enter_context(MailNetwork(*servers, settings=settings or mockmail_settings))
            for server in network:
                _watch(request.node, server)
            return network

        yield start


@pytest.fixture(scope="session")
def _mockmail_shared_url(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, mockmail_settings: Settings
) -> Generator[str, None, None]:
    """The one server of all workers, in a process of its own for as long as one of them uses it."""
    from mockmail.shared import leased

    with leased(_run_directory(pytestconfig, tmp_path_factory), mockmail_settings) as url:
        yield url


@pytest.fixture
def mockmail_shared(request: pytest.FixtureRequest, _mockmail_shared_url: str) -> Generator[SharedMail, None, None]:
    """This test's share of one mail server for all pytest-xdist workers: `.domain` and `.address("bob")` are its own,
    and it sees only their mail. Needs the extra http."""
    from uuid import uuid4

    from mockmail.testing.shared import SharedMail

    item: pytest.Item = request.node
    overrides = _marker_settings(item)
    if overrides and "mockmail" not in request.fixturenames:
        raise pytest.UsageError(
            f"{item.nodeid}: the marker mockmail sets {', '.join(overrides)}, but mockmail_shared is the server of all"
            " workers; set that in mockmail_settings or the ini file, or use the fixture mockmail."
        )
    mail = SharedMail(_mockmail_shared_url, f"t-{uuid4().hex[:12]}.test")
    try:
        _watch(item, mail)
        yield mail
        mail.check()
        if not item.stash.get(_FAILED, False):
            mail.faults.warn_of_unused()
    finally:
        mail.close()
