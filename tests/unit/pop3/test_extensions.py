import pytest

from mockmail.config import Settings
from mockmail.errors import ConfigurationError
from mockmail.pop3.extensions import BASE_COMMANDS, COMMANDS, EXTENSIONS, LOGIN_COMMANDS, capabilities_of


def test_everything_is_in_force_by_default():
    capabilities = capabilities_of(Settings(tls=True))
    assert capabilities.names == {row.name for row in EXTENSIONS}
    assert capabilities.commands == COMMANDS
    assert LOGIN_COMMANDS < COMMANDS


@pytest.mark.parametrize("row", EXTENSIONS, ids=lambda row: row.name)
def test_off_means_not_advertised_and_not_understood(row, new_world, new_peer):
    world = new_world(tls=True, hide={"pop3": [row.name]})
    capabilities = capabilities_of(world.settings)
    assert row.name not in {line.split()[0] for line in capabilities.lines()}
    assert capabilities.commands == COMMANDS - row.commands
    peer = new_peer(world)
    for command in sorted(row.commands):
        arguments = {"USER": " x", "PASS": " x", "TOP": " 1 1", "APOP": f" x {'0' * 32}"}.get(command, "")
        assert peer.say(command + arguments) == f"-ERR {command} is no command here\r\n"


def test_a_profile_names_what_is_listed():
    capabilities = capabilities_of(Settings(profile="minimal"))
    assert capabilities.lines() == ("TOP", "USER", "UIDL")
    assert capabilities.commands == BASE_COMMANDS | {"CAPA", "TOP", "USER", "PASS", "UIDL"}


def test_what_there_is_not_cannot_be_hidden():
    with pytest.raises(ConfigurationError, match="pop3 has no capability 'IDLE'; write one of APOP, AUTH-RESP-CODE"):
        capabilities_of(Settings(hide={"pop3": ["IDLE"]}))
