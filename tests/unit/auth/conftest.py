"""Secrets for mechanisms that have no server around them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mockmail.auth.mechanisms import new_mechanism
from mockmail.auth.sasl import Credentials, Exchange, Failure


@dataclass
class GivenSecrets:
    passwords: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Token -> user."""
    channel_bindings: dict[str, bytes] = field(default_factory=dict)
    certified_names: tuple[str, ...] = ()

    def password(self, username: str) -> str | Failure:
        return self.passwords.get(username) or Failure("no password", username=username)

    def token(self, username: str, token: str) -> Credentials | Failure:
        owner = self.tokens.get(token)
        if owner is None or username not in ("", owner):
            return Failure("no such token", username=username)
        return Credentials(owner, token=token)


@pytest.fixture
def given() -> type[GivenSecrets]:
    """Makes the secrets of a server: ``given(passwords={...})``."""
    return GivenSecrets


@pytest.fixture
def exchange() -> Callable[..., Exchange]:
    """``exchange("PLAIN")``, or with secrets behind it."""

    def start(name: str, secrets: GivenSecrets | None = None) -> Exchange:
        mechanism = new_mechanism(name, secrets or GivenSecrets())
        assert mechanism is not None
        return Exchange(mechanism)

    return start
