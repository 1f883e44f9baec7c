"""Settings: what they take, what they refuse and in which words, and their forms as text."""

import dataclasses

import pytest

from mockmail.config import Settings, setting_fields
from mockmail.errors import ConfigurationError


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"users": "bob@example.test:secret"}, r'write a mapping .*users=\{"bob@example.test": "secret"\}'),
        ({"users": {"bob": "secret"}}, r"users has 'bob'; write a full address"),
        ({"users": {"bob@example.test": None}}, r"the password None for 'bob@example.test'"),
        ({"unknown_recipients": "reject"}, r"write 'create' or 'refuse'"),
        ({"domains": "example.test"}, r"write a list of names such as \['example.test'\]"),
        ({"domains": []}, r"name at least one domain"),
        ({"profile": "gmial"}, r"no profile 'gmial'; write one of standard, minimal"),
        ({"hide": {"smtpp": ["SIZE"]}}, r"hide names the protocol 'smtpp'; write smtp, lmtp, pop3 or imap"),
        ({"advertise": {"imap": "XYZ"}}, r"write a list: \['XYZ'\]"),
        ({"smtp_port": 70000}, r"smtp_port is 70000; write a number from 0"),
        ({"lmtp_port": -1}, r"lmtp_port is -1"),
        ({"imap_port": "1143"}, r"imap_port is '1143'"),
        ({"pop3_port": True}, r"pop3_port is True"),
        ({"timeout": -1}, r"timeout is -1; write a number of seconds"),
        ({"max_messages": 0}, r"max_messages is 0; write a whole number above 0"),
        ({"max_message_bytes": "64M"}, r"max_message_bytes is '64M'"),
        ({"pop3_login_delay_seconds": -1}, r"pop3_login_delay_seconds is -1; write a whole number of seconds, or 0"),
        ({"pop3_expire_days": "NEVER"}, r"pop3_expire_days is 'NEVER'; write a whole number of days, or None"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(settings: dict, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Settings(**settings)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no setting 'domain'; did you mean 'domains'\?$"):
        Settings().updated(domain=["a.test"])
    with pytest.raises(ConfigurationError, match="no setting 'zzz'; the settings are users, unknown_recipients"):
        Settings().updated(zzz=1)


def test_unknown_recipients_follow_users_unless_set() -> None:
    assert Settings().creates_accounts
    assert not Settings(users={"bob@example.test": "x"}).creates_accounts
    assert Settings(users={"bob@example.test": "x"}, unknown_recipients="create").creates_accounts
    assert not Settings(unknown_recipients="refuse").creates_accounts


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        (
            "users",
            "bob@example.test:se:cret\n# a comment\n\n ann@example.test:x",
            {"bob@example.test": "se:cret", "ann@example.test": "x"},
        ),
        ("users", "", None),
        ("pop3_login_delay_seconds", "60", 60),
        ("pop3_expire_days", "never", None),
        ("pop3_expire_days", "0", 0),
        ("domains", "a.test, B.test.", ("a.test", "b.test")),
        ("domains", "", None),
        ("require_auth", "yes", True),
        ("require_auth", "0", False),
        ("smtp_port", "2525", 2525),
        ("smtp_port", "none", None),
        ("hide", "smtp=SMTPUTF8 SIZE,imap=IDLE", {"smtp": ("SMTPUTF8", "SIZE"), "imap": ("IDLE",)}),
        ("max_message_bytes", "10M", 10 << 20),
        ("max_message_bytes", "512 KiB", 512 << 10),
        ("max_messages", "none", None),
        ("timeout", "2.5", 2.5),
        ("unknown_recipients", "refuse", "refuse"),
    ],
)
def test_settings_as_text(name: str, text: str, value: object) -> None:
    assert getattr(Settings().updated_from_texts({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "instead"),
    [
        ("users", "bob", "write one address:password a line"),
        ("require_auth", "maybe", "write true or false"),
        ("smtp_port", "x", "write a port number, or none"),
        ("hide", "SIZE", "write protocol=NAME NAME, such as smtp=SMTPUTF8"),
        ("max_message_bytes", "big", "write a number of bytes, or 64M"),
        ("max_messages", "many", "write a whole number, or none"),
        ("timeout", "soon", "write a number of seconds, such as 0.5"),
    ],
)
def test_text_that_cannot_be_read_names_its_source(name: str, text: str, instead: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the option {name} is '{text}', which cannot be read: {instead}"):
        Settings().updated_from_texts({name: text}, name_of=lambda name: f"the option {name}")


def test_the_environment_gives_host_and_ports_only_when_asked() -> None:
    environ = {"MOCKMAIL_SMTP_PORT": "2525", "MOCKMAIL_TIMEOUT": "1", "MOCKMAIL_OTHER": "x", "TIMEOUT": "9"}
    assert Settings.from_env(environ) == Settings(timeout=1.0)
    assert Settings.from_env(environ, ports=True) == Settings(timeout=1.0, smtp_port=2525)


def test_settings_are_frozen_and_can_be_varied() -> None:
    settings = Settings(users={"bob@example.test": "secret"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.timeout = 1  # type: ignore[misc]
    assert dataclasses.replace(settings, timeout=1.0).users == settings.users


def test_each_row_of_the_table_reads_its_own_default_back() -> None:
    for row in setting_fields():
        assert row.help
        assert row.variable == "MOCKMAIL_" + row.name.upper()
        if isinstance(row.default, bool | int | float | str):
            assert row.parse(str(row.default)) == row.default


def test_what_is_shown_of_settings_has_no_passwords():
    settings = Settings(
        users={"bob@example.test": "sEkRiT"},
        smarthost="smtp://app:sEkRiT@relay.test:587",
        http_auth="admin:sEk:RiT",
        timeout=1.0,
        hide={"imap": ["IDLE"]},
    )
    assert repr(settings) == (
        "Settings(users={'bob@example.test': '***'}, http_auth='admin:***',"
        " smarthost='smtp://app:***@relay.test:587', hide={'imap': ('IDLE',)}, timeout=1.0)"
    )
    assert repr(Settings()) == "Settings()"
    with pytest.raises(ConfigurationError) as wrong:
        Settings(smarthost="smtp://app:sEk/RiT@relay.test:587")
    assert "sEk" not in str(wrong.value)
    assert "relay.test" in str(wrong.value)
