"""Settings for an application, as plain dicts: the line that hands them over stays the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mockmail.config import Settings
from mockmail.errors import ConfigurationError

__all__ = ["SettingsFor"]

_DEFAULT_LOGIN = ("user@example.test", "password")


class _Address(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...


class _Server(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def endpoints(self) -> Mapping[str, _Address]: ...


class SettingsFor:
    """``mail.settings_for``: one method a framework.

    ``login`` is the (user, password) that the application shall use: by default the first of ``users`` when the server
    requires a login, else none.
    """

    __slots__ = ("_server",)

    def __init__(self, server: _Server) -> None:
        self._server = server

    def _smtp(self) -> _Address:
        try:
            return self._server.endpoints["smtp"]
        except KeyError:
            raise ConfigurationError("SMTP is not started; set smtp_port=0 to hand its address over.") from None

    def _login(self, login: tuple[str, str] | None) -> tuple[str, str] | None:
        settings = self._server.settings
        if login is not None or not settings.require_auth:
            return login
        if settings.users:
            return next(iter(settings.users.items()))
        return _DEFAULT_LOGIN

    def django(self, *, login: tuple[str, str] | None = None) -> dict[str, Any]:
        """``EMAIL_*`` for Django up to 6.0, and with 6.1 and later ``MAILERS`` instead, which refuses the old names.

        Django's test runner, and pytest-django, put a recorder in place of the backend; these settings put SMTP back.
        """
        smtp = self._smtp()
        user, password = self._login(login) or ("", "")
        if _django_has_mailers():
            options: dict[str, Any] = {"host": smtp.host, "port": smtp.port}
            if user:
                options |= {"username": user, "password": password}
            backend = "django.core.mail.backends.smtp.EmailBackend"
            return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": smtp.host,
            "EMAIL_PORT": smtp.port,
            "EMAIL_HOST_USER": user,
            "EMAIL_HOST_PASSWORD": password,
            "EMAIL_USE_TLS": False,
            "EMAIL_USE_SSL": False,
        }

    def flask_mail(self, *, login: tuple[str, str] | None = None) -> dict[str, Any]:
        """For Flask-Mail, which reads them in ``init_app``: hand them over before. It sends nothing while
        ``app.testing`` is set unless told so, as here."""
        smtp = self._smtp()
        user, password = self._login(login) or (None, None)
        return {
            "MAIL_SERVER": smtp.host,
            "MAIL_PORT": smtp.port,
            "MAIL_USERNAME": user,
            "MAIL_PASSWORD": password,
            "MAIL_USE_TLS": False,
            "MAIL_USE_SSL": False,
            "MAIL_SUPPRESS_SEND": False,
        }

    def flask_mailman(self, *, login: tuple[str, str] | None = None) -> dict[str, Any]:
        """For Flask-Mailman, which records instead of sending while testing unless its backend is named, as here."""
        result = self.flask_mail(login=login)
        del result["MAIL_SUPPRESS_SEND"]
        result["MAIL_BACKEND"] = "smtp"
        return result

    def fastapi_mail(self, *, login: tuple[str, str] | None = None, sender: str = "app@example.test") -> dict[str, Any]:
        """Keyword arguments of fastapi-mail's ``ConnectionConfig``, which wants a login even where it is not used."""
        smtp = self._smtp()
        used = self._login(login)
        user, password = used or _DEFAULT_LOGIN
        return {
            "MAIL_SERVER": smtp.host,
            "MAIL_PORT": smtp.port,
            "MAIL_USERNAME": user,
            "MAIL_PASSWORD": password,
            "MAIL_FROM": sender,
            "MAIL_STARTTLS": False,
            "MAIL_SSL_TLS": False,
            "USE_CREDENTIALS": used is not None,
            "VALIDATE_CERTS": False,
            "SUPPRESS_SEND": 0,
        }

    def env(self, prefix: str = "MOCKMAIL_") -> dict[str, str]:
        """Environment variables: ``<prefix>SMTP_HOST``, ``_PORT``, ``_URL``, and the same for each protocol that is
        started."""
        result: dict[str, str] = {}
        for name, endpoint in self._server.endpoints.items():
            result[f"{prefix}{name.upper()}_HOST"] = endpoint.host
            result[f"{prefix}{name.upper()}_PORT"] = str(endpoint.port)
            result[f"{prefix}{name.upper()}_URL"] = endpoint.url
        return result


def _django_has_mailers() -> bool:
    import sys

    django = sys.modules.get("django")
    version: tuple[Any, ...] = getattr(django, "VERSION", (0, 0))
    return tuple(version[:2]) >= (6, 1)
