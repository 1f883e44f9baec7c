"""Settings for an application, as plain dicts: the line that hands them over stays the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

from mockmail.config import Settings
from mockmail.errors import ConfigurationError

__all__ = ["SettingsFor"]

Security: TypeAlias = Literal["starttls", "tls"] | None

_DEFAULT_LOGIN = ("user@example.test", "password")


class _Address(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def url(self) -> str: ...


class _Trust(Protocol):
    @property
    def ca_file(self) -> str: ...


class _Server(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def tls(self) -> _Trust: ...
    @property
    def endpoints(self) -> Mapping[str, _Address]: ...


class SettingsFor:
    """``mail.settings_for``: one method a framework.

    ``login`` is the (user, password) that the application shall use: by default the first of ``users`` when the server
    requires a login, else none. ``security`` is ``"starttls"``, ``"tls"`` (from the first byte, at smtps) or ``None``:
    plain text, or STARTTLS when the server requires TLS.
    """

    __slots__ = ("_server",)

    def __init__(self, server: _Server) -> None:
        self._server = server

    def _smtp(self, security: Security) -> tuple[_Address, Security]:
        """Where to send, and how in the end."""
        settings = self._server.settings
        if security not in (None, "starttls", "tls"):
            raise ConfigurationError(f"security is {security!r}; write 'starttls', 'tls', or None for plain text.")
        if security is not None and not settings.tls:
            raise ConfigurationError(f"security is {security!r}, but TLS is off; start the server with tls=True.")
        if security is None and settings.require_tls:
            security = "starttls"
        name = "smtps" if security == "tls" else "smtp"
        try:
            return self._server.endpoints[name], security
        except KeyError:
            raise ConfigurationError(f"{name} is not started; set {name}_port=0 to hand its address over.") from None

    def _login(self, login: tuple[str, str] | None) -> tuple[str, str] | None:
        settings = self._server.settings
        if login is not None or not settings.require_auth:
            return login
        if settings.users:
            return next(iter(settings.users.items()))
        return _DEFAULT_LOGIN

    def django(self, *, login: tuple[str, str] | None = None, security: Security = None) -> dict[str, Any]:
        """``EMAIL_*`` for Django up to 6.0, and with 6.1 and later ``MAILERS`` instead, which refuses the old names.

        Django's test runner, and pytest-django, put a recorder in place of the backend; these settings put SMTP back.
        Django verifies certificates by what ``SSL_CERT_FILE`` names, so with ``security`` give its process :meth:`env`.
        """
        smtp, security = self._smtp(security)
        user, password = self._login(login) or ("", "")
        if _django_has_mailers():
            options: dict[str, Any] = {"host": smtp.host, "port": smtp.port}
            if user:
                options |= {"username": user, "password": password}
            if security is not None:
                options["use_tls" if security == "starttls" else "use_ssl"] = True
            backend = "django.core.mail.backends.smtp.EmailBackend"
            return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": smtp.host,
            "EMAIL_PORT": smtp.port,
            "EMAIL_HOST_USER": user,
            "EMAIL_HOST_PASSWORD": password,
            "EMAIL_USE_TLS": security == "starttls",
            "EMAIL_USE_SSL": security == "tls",
        }

    def flask_mail(self, *, login: tuple[str, str] | None = None, security: Security = None) -> dict[str, Any]:
        """For Flask-Mail, which reads them in ``init_app``: hand them over before. It sends nothing while
        ``app.testing`` is set unless told so, as here."""
        smtp, security = self._smtp(security)
        user, password = self._login(login) or (None, None)
        return {
            "MAIL_SERVER": smtp.host,
            "MAIL_PORT": smtp.port,
            "MAIL_USERNAME": user,
            "MAIL_PASSWORD": password,
            "MAIL_USE_TLS": security == "starttls",
            "MAIL_USE_SSL": security == "tls",
            "MAIL_SUPPRESS_SEND": False,
        }

    def flask_mailman(self, *, login: tuple[str, str] | None = None, security: Security = None) -> dict[str, Any]:
        """For Flask-Mailman, which records instead of sending while testing unless its backend is named, as here."""
        result = self.flask_mail(login=login, security=security)
        del result["MAIL_SUPPRESS_SEND"]
        result["MAIL_BACKEND"] = "smtp"
        return result

    def fastapi_mail(
        self,
        *,
        login: tuple[str, str] | None = None,
        security: Security = None,
        sender: str = "app@example.test",
    ) -> dict[str, Any]:
        """Keyword arguments of fastapi-mail's ``ConnectionConfig``, which wants a login even where it is not used."""
        smtp, security = self._smtp(security)
        used = self._login(login)
        user, password = used or _DEFAULT_LOGIN
        result = {
            "MAIL_SERVER": smtp.host,
            "MAIL_PORT": smtp.port,
            "MAIL_USERNAME": user,
            "MAIL_PASSWORD": password,
            "MAIL_FROM": sender,
            "MAIL_STARTTLS": security == "starttls",
            "MAIL_SSL_TLS": security == "tls",
            "USE_CREDENTIALS": used is not None,
            "VALIDATE_CERTS": security is not None,
            "SUPPRESS_SEND": 0,
        }
        if security is not None:
            result["CERT_BUNDLE"] = self._server.tls.ca_file
        return result

    def env(self, prefix: str = "MOCKMAIL_") -> dict[str, str]:
        """Environment variables: ``<prefix>SMTP_HOST``, ``_PORT``, ``_URL``, and the same for each protocol that is
        started. With TLS also ``SSL_CERT_FILE``, under that name alone: by it OpenSSL trusts this server and nobody
        else.
        """
        result: dict[str, str] = {}
        for name, endpoint in self._server.endpoints.items():
            result[f"{prefix}{name.upper()}_HOST"] = endpoint.host
            result[f"{prefix}{name.upper()}_PORT"] = str(endpoint.port)
            result[f"{prefix}{name.upper()}_URL"] = endpoint.url
        if self._server.settings.tls:
            result["SSL_CERT_FILE"] = self._server.tls.ca_file
        return result


def _django_has_mailers() -> bool:
    import sys

    django = sys.modules.get("django")
    version: tuple[Any, ...] = getattr(django, "VERSION", (0, 0))
    return tuple(version[:2]) >= (6, 1)
