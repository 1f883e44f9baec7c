import pytest

from mockmail.config import Settings
from mockmail.errors import ConfigurationError
from mockmail.smtp.commands import capabilities_of
from mockmail.smtp.extensions import EXTENSIONS, Capabilities


def lines(capabilities: Capabilities) -> list[str]:
    return capabilities.ehlo_lines(limit_bytes=10, mechanisms=("PLAIN",))


def test_all_rows_are_advertised_in_order():
    assert [line.split()[0] for line in lines(Capabilities())] == [row.name for row in EXTENSIONS]
    assert "SIZE 10" in lines(Capabilities())
    assert "SIZE" in Capabilities().ehlo_lines(limit_bytes=None, mechanisms=())


@pytest.mark.parametrize("row", EXTENSIONS, ids=lambda row: row.name)
def test_what_is_hidden_is_neither_advertised_nor_understood(row, client):
    hidden = Capabilities(hide=[row.name.lower()])
    assert not [line for line in lines(hidden) if line.split()[0] == row.name]
    assert not row.commands & hidden.commands
    assert not row.parameters & hidden.parameters
    from mockmail.core.world import World

    c = client(World(Settings(hide={"smtp": (row.name,)}))).start()
    for command in row.commands:
        assert c.say(command).startswith("500 5.5.1")
    for parameter in row.parameters:
        assert c.say(f"MAIL FROM:<a@b> {parameter}=1").startswith("555 5.5.4")


def test_words_can_be_advertised_that_mean_nothing():
    capabilities = capabilities_of(Settings(advertise={"smtp": ("XCLIENT NAME",)}))
    assert lines(capabilities)[-1] == "XCLIENT NAME"
    assert "XCLIENT" not in capabilities.commands


def test_unknown_names_are_errors():
    with pytest.raises(ConfigurationError, match="SMTPUTF9"):
        capabilities_of(Settings(hide={"smtp": ("SMTPUTF9",)}))


def test_lines_may_be_as_long_as_the_extensions_say():
    assert Capabilities().line_limits_bytes["MAIL"] == 512 + 26 + 17 + 10 + 500
    assert Capabilities(only=["SIZE"]).line_limits_bytes["MAIL"] == 512 + 26
    assert Capabilities().line_limits_bytes["NOOP"] == 512
    assert Capabilities().line_limits_bytes["AUTH"] == 12288
