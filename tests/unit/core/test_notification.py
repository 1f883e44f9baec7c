"""What senders ask to be told."""

import pytest

from mockmail.core.notification import notify_of, option, options_after_expansion


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, {"FAILURE", "DELAY"}),
        ({"NOTIFY": None}, {"FAILURE", "DELAY"}),
        ({"Notify": "never"}, {"NEVER"}),
        ({"NOTIFY": "Success,DELAY"}, {"SUCCESS", "DELAY"}),
    ],
)
def test_what_is_asked(options: dict[str, str | None], asked: set[str]) -> None:
    assert notify_of(options) == asked


def test_names_of_parameters_have_no_case() -> None:
    assert option({"orcpt": "rfc822;a@b"}, "ORCPT") == "rfc822;a@b"
    assert option({"NOTIFY": None}, "NOTIFY") == option({}, "NOTIFY") == ""


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ({}, {}),
        ({"ORCPT": "rfc822;a@b"}, {"ORCPT": "rfc822;a@b"}),
        ({"NOTIFY": "SUCCESS"}, {"NOTIFY": "NEVER"}),
        ({"notify": "Success,FAILURE,DELAY"}, {"notify": "FAILURE,DELAY"}),
        ({"NOTIFY": "NEVER"}, {"NOTIFY": "NEVER"}),
    ],
)
def test_an_alias_does_not_ask_its_targets_to_confirm(options: dict[str, str | None], passed: dict[str, str]) -> None:
    assert options_after_expansion(options) == passed
