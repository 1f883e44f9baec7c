"""The capability line in each state, and that what is off is neither advertised nor understood."""

import pytest

from mockmail.extensions import enabled_names
from mockmail.imap.extensions import (
    ALL_UNDERSTOOD,
    AUTHENTICATED,
    EXTENSIONS,
    NOT_AUTHENTICATED,
    SELECTED,
    STATES,
    capability_line,
    understood,
)

ALL = enabled_names(EXTENSIONS, only=None)


def test_before_login():
    assert capability_line(ALL, NOT_AUTHENTICATED, auth_mechanisms=["PLAIN", "LOGIN"]) == (
        "CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT WITHIN MOVE"
        " SPECIAL-USE CREATE-SPECIAL-USE AUTH=PLAIN AUTH=LOGIN"
    )


@pytest.mark.parametrize("state", [AUTHENTICATED, SELECTED])
def test_after_login(state):
    words = capability_line(ALL, state, auth_mechanisms=["PLAIN"]).split()
    assert "SASL-IR" not in words
    assert "AUTH=PLAIN" not in words
    assert "MOVE" in words


def test_minimal():
    enabled = enabled_names(EXTENSIONS, only=["imap4rev1"])
    assert capability_line(enabled, SELECTED) == "CAPABILITY IMAP4rev1"


def test_advertised_names_come_once():
    line = capability_line(ALL, SELECTED, advertise=["X-GM-EXT-1", "IDLE"])
    assert line.endswith(" X-GM-EXT-1")
    assert line.split().count("IDLE") == 1


@pytest.mark.parametrize("row", EXTENSIONS, ids=lambda row: row.name)
def test_off_means_not_advertised_and_not_understood(row):
    without = understood(ALL - {row.name})
    assert not (without.commands & row.commands)
    assert not (without.parameters & row.parameters)
    if row.name != "IMAP4REV1":
        assert row.name not in capability_line(ALL - {row.name}, NOT_AUTHENTICATED).split()


def test_every_command_has_its_states():
    assert {name.removeprefix("UID ") for name in ALL_UNDERSTOOD.commands} == set(STATES)


def test_the_base_protocol_has_the_commands_of_rfc_3501():
    assert understood({"IMAP4REV1", "STARTTLS"}).commands == {
        "CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "AUTHENTICATE", "LOGIN", "SELECT", "EXAMINE", "CREATE", "DELETE",
        "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "STATUS", "APPEND", "CHECK", "CLOSE", "EXPUNGE", "SEARCH",
        "FETCH", "STORE", "COPY", "UID FETCH", "UID STORE", "UID COPY", "UID SEARCH",
    }  # fmt: skip
