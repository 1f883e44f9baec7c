import pytest

from mockmail.config import Settings
from mockmail.core.world import World
from mockmail.errors import ConfigurationError
from mockmail.smtp.extensions import EXTENSIONS, Capabilities, capabilities_of


def lines(capabilities: Capabilities, **limits) -> list[str]:
    return capabilities.ehlo_lines(
        **{"limit_bytes": 10, "mechanisms": ("PLAIN",), "recipient_limit": 100, **limits},
    )


def keywords(capabilities: Capabilities) -> list[str]:
    return [line.split()[0] for line in lines(capabilities)]


def test_all_rows_are_advertised_in_order():
    assert keywords(Capabilities(facts={"tls", "starttls"})) == [
        row.name for row in EXTENSIONS if row.name != "STARTTLS"
    ]
    assert "STARTTLS" in keywords(Capabilities(facts={"starttls"}))
    assert "SIZE 10" in lines(Capabilities())
    assert "SIZE" in lines(Capabilities(), limit_bytes=None)
    assert "LIMITS RCPTMAX=100" in lines(Capabilities())
    assert "LIMITS MAILMAX=5 RCPTMAX=100" in lines(Capabilities(), transaction_limit=5)


def test_what_needs_tls_is_there_only_over_tls():
    assert "REQUIRETLS" not in keywords(Capabilities())
    assert "REQUIRETLS" not in Capabilities().parameters
    assert "REQUIRETLS" in Capabilities(facts={"tls"}).parameters


@pytest.mark.parametrize("needed", ["CHUNKING", "8BITMIME"])
def test_binarymime_goes_with_what_it_needs(needed, client):
    assert "BINARYMIME" not in keywords(Capabilities(hide=[needed]))
    c = client(World(Settings(hide={"smtp": (needed,)}))).start()
    assert c.say("MAIL FROM:<a@b> BODY=BINARYMIME")[:3] in ("501", "555")


def test_words_can_be_advertised_that_mean_nothing():
    capabilities = capabilities_of(Settings(advertise={"smtp": ("XCLIENT NAME",)}))
    assert lines(capabilities)[-1] == "XCLIENT NAME"
    assert "XCLIENT" not in capabilities.commands


def test_each_protocol_hides_its_own():
    settings = Settings(hide={"lmtp": ("DSN",)}, advertise={"lmtp": ("XLMTP",)})
    assert "DSN" in capabilities_of(settings).names
    lmtp = capabilities_of(settings, "lmtp")
    assert "DSN" not in lmtp.names
    assert lines(lmtp)[-1] == "XLMTP"
    assert lmtp.commands >= {"LHLO", "BDAT"}
    assert not lmtp.commands & {"HELO", "EHLO"}


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_unknown_names_are_errors(protocol):
    with pytest.raises(ConfigurationError, match=f"^{protocol} has no capability 'SMTPUTF9'"):
        capabilities_of(Settings(hide={protocol: ("SMTPUTF9",)}), protocol)


def test_lines_may_be_as_long_as_the_extensions_say():
    assert Capabilities(facts={"tls"}).line_limits_bytes["MAIL"] == 512 + 26 + 17 + 10 + 16 + 116 + 500 + 11 + 17
    assert Capabilities(only=["SIZE"]).line_limits_bytes["MAIL"] == 512 + 26
    assert Capabilities().line_limits_bytes["RCPT"] == 512 + 530
    assert Capabilities().line_limits_bytes["NOOP"] == 512
    assert Capabilities().line_limits_bytes["AUTH"] == 12288
