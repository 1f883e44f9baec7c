"""The throw-away authority, the certificates it signs, and the contexts made of them (extra ``tls``).

One authority serves a process, or all processes that share a directory. Its key never leaves that directory. Nothing
of ssl or trustme is imported before the first use.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mockmail.errors import ConfigurationError, MissingExtraError
from mockmail.tls import TLS

if TYPE_CHECKING:
    import ssl
    from types import ModuleType

    import trustme

__all__ = ["Authority", "Trust", "authority", "end_point", "known_authorities", "server_contexts", "shared_directory"]

_LOCAL = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})
"""They stand for every address, and are in no certificate."""
_CLIENT = "client@example.test"
_LOCK_SECONDS = 60.0


def _utc(year: int) -> datetime.datetime:
    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


# Far from today, because neither a frozen clock nor a wrong one may make a bad certificate good.
_PERIODS = {"expired": (_utc(2000), _utc(2001)), "not-yet-valid": (_utc(2900), _utc(2901))}


def _trustme() -> ModuleType:
    try:
        import trustme
    except ImportError as error:
        raise MissingExtraError(
            "tls= needs trustme to make certificates, and that is not installed: pip install 'mockmail[tls]'"
        ) from error
    return trustme


class Authority:
    """A certificate authority that is known only to those who read its ``ca_file``. Any thread."""

    def __init__(self, directory: Path) -> None:
        """The authority kept in ``directory``, made there by whoever comes first. Raises ``MissingExtraError``."""
        library = _trustme()
        from filelock import FileLock

        path = directory / "mockmail-ca.pem"
        key_path = directory / "mockmail-ca-key.pem"
        self.ca_file = str(path)
        self._directory = directory
        with FileLock(directory / "mockmail-ca.lock", timeout=_LOCK_SECONDS):
            if path.exists():
                self._ca: trustme.CA = library.CA.from_pem(path.read_bytes(), key_path.read_bytes())
                return
            self._ca = library.CA(organization_name="mockmail")
            descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as key_file:
                key_file.write(self._ca.private_key_pem.bytes())
            # The certificate last and in one step: who sees it finds the key, and programs that read it read it whole.
            unfinished = path.with_suffix(".new")
            unfinished.write_bytes(self._ca.cert_pem.bytes())
            unfinished.replace(path)

    @cached_property
    def _stranger(self) -> trustme.CA:
        """An authority that nobody trusts."""
        return _trustme().CA(organization_name="mockmail untrusted")  # type: ignore[no-any-return]

    def server_context(self, options: TLS, host: str) -> ssl.SSLContext:
        """What a server at ``host`` shakes hands with."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _limit_versions(context, options)
        # Each connection does a whole handshake: a session resumed would verify no certificate.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        names = _LOCAL if host in (*_LOCAL, *_WILDCARDS) else (*_LOCAL, host)
        if options.certificate == "self-signed":
            _load(context, _self_signed(names))
        else:
            _load(context, self._issue(options.certificate, names))
        if options.client_certificate != "none":
            required = options.client_certificate == "required"
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            context.load_verify_locations(cafile=self.ca_file)
        return context

    def _issue(self, kind: str, names: tuple[str, ...]) -> bytes:
        signer = self._stranger if kind == "untrusted" else self._ca
        if kind == "wrong-host":
            names = ("wrong-host.invalid",)
        not_before, not_after = _PERIODS.get(kind, (None, None))
        try:
            leaf = signer.issue_cert(
                *names, organization_name="mockmail", common_name=names[0], not_before=not_before, not_after=not_after
            )
        except UnicodeError as error:  # idna's
            raise ConfigurationError(
                f"host is {names[-1]!r}, which no certificate can name: {error}. Write an IP address instead."
            ) from error
        return leaf.private_key_and_cert_chain_pem.bytes()

    def client_context(self, certificate: str | None = None) -> ssl.SSLContext:
        """A context that trusts this authority and no other; with ``certificate``, an address, it has one for it."""
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file)
        if certificate is not None:
            context.load_cert_chain(self.client_certificate_file(certificate))
        return context

    def client_certificate_file(self, address: str) -> str:
        """A PEM file with a key and a certificate for this address, made on first use."""
        import tempfile

        path = self._client_files.get(address)
        if path is None:
            leaf = self._ca.issue_cert(address, organization_name="mockmail", common_name=address)
            descriptor, path = tempfile.mkstemp(prefix="mockmail-client-", suffix=".pem", dir=self._directory)
            with os.fdopen(descriptor, "wb") as file:
                file.write(leaf.private_key_and_cert_chain_pem.bytes())
            self._client_files[address] = path
        return path

    @cached_property
    def _client_files(self) -> dict[str, str]:
        return {}


def _limit_versions(context: ssl.SSLContext, options: TLS) -> None:
    import ssl

    versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    context.minimum_version = versions[options.minimum_version]
    context.maximum_version = versions[options.maximum_version]


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Give a context its key and certificate, which ssl takes from files alone."""
    import tempfile

    # A directory, because Windows opens no file twice that is removed when it is closed.
    with tempfile.TemporaryDirectory(prefix="mockmail-") as directory:
        path = Path(directory) / "certificate.pem"
        path.write_bytes(pem)
        context.load_cert_chain(path)
    _end_points[context] = _end_point(pem)


_end_points: WeakKeyDictionary[ssl.SSLContext, bytes] = WeakKeyDictionary()


def end_point(context: ssl.SSLContext) -> bytes | None:
    """The channel binding ``tls-server-end-point`` of a server's context made here (RFC 5929 section 4). Python tells
    nobody which certificate a context shows."""
    return _end_points.get(context)


def _end_point(pem: bytes) -> bytes:
    """The hash of the first certificate there, by the function that its own signature uses (section 4.1)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    leaf = x509.load_pem_x509_certificates(pem)[0]
    return leaf.fingerprint(leaf.signature_hash_algorithm or hashes.SHA256())


def _self_signed(names: tuple[str, ...]) -> bytes:
    """A certificate signed by its own key, and right in all else. trustme makes none."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def general_name(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_utc(2000))
        .not_valid_after(_utc(2038))
        .add_extension(x509.SubjectAlternativeName(map(general_name, names)), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def server_contexts(options: TLS, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server at ``host``: for upgrades, and for ports that begin with TLS."""
    import ssl

    implicit = authority().server_context(options, host)
    if options.starttls != "fail":
        return implicit, implicit
    # A server without a certificate has no cipher in common with anybody, and says so by an alert.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), implicit


# Where it is kept

_authorities: dict[Path, Authority] = {}
_find_directory: Callable[[], Path] | None = None
_own_directory: Path | None = None


def authority() -> Authority:
    """This process's authority, or the one of the shared directory. Raises ``MissingExtraError``."""
    directory = _private_directory() if _find_directory is None else _find_directory()
    found = _authorities.get(directory)
    if found is None:
        found = _authorities[directory] = Authority(directory)
    return found


def known_authorities() -> list[str]:
    """PEM files of the authorities that made certificates in this process so far. Any thread."""
    return [one.ca_file for one in list(_authorities.values())]


@contextmanager
def shared_directory(find: Callable[[], Path]) -> Iterator[None]:
    """Meanwhile use the authority in the directory that ``find`` gives, which other processes may use as well. It is
    asked for when a certificate is first wanted; it must exist, and be open to this user alone."""
    global _find_directory
    before, _find_directory = _find_directory, find
    try:
        yield
    finally:
        _find_directory = before


def _private_directory() -> Path:
    """A temporary directory of this process, removed at its end."""
    global _own_directory
    if _own_directory is None:
        import atexit
        import shutil
        import tempfile

        directory = _own_directory = Path(tempfile.mkdtemp(prefix="mockmail-"))
        owner = os.getpid()

        def remove() -> None:
            # A forked child ends too, and has the parent's directory.
            if os.getpid() == owner:
                shutil.rmtree(directory, ignore_errors=True)

        atexit.register(remove)
    return _own_directory


class Trust:
    """``mail.tls``: what a client needs to trust the servers, and to be trusted. Any thread.

    With TLS off, everything raises ``ConfigurationError``.
    """

    __slots__ = ("_enabled",)

    def __init__(self, enabled: Callable[[], bool]) -> None:
        self._enabled = enabled

    @property
    def _authority(self) -> Authority:
        if not self._enabled():
            raise ConfigurationError("TLS is off, so there are no certificates; write MockMail(tls=True).")
        return authority()

    @property
    def ca_file(self) -> str:
        """Path of a PEM file with the certificate of the throw-away authority: what curl calls ``--cacert``, and
        OpenSSL's programs read from ``SSL_CERT_FILE``."""
        return self._authority.ca_file

    def client_context(self, *, certificate: bool | str = False) -> ssl.SSLContext:
        """A new context that verifies the servers, host name included, and trusts nobody else.

        ``certificate``: present one of the client's own, for a server with ``client_certificate="required"``; given
        an address, it names that address, and with ``True`` ``client@example.test``.
        """
        return self._authority.client_context(_address(certificate))

    def client_certificate_file(self, certificate: bool | str = True) -> str:
        """Path of a PEM file with a client's key and certificate, as ``client_context`` takes it: what curl calls
        ``--cert``. The same file for the same address."""
        return self._authority.client_certificate_file(_address(certificate) or _CLIENT)


def _address(certificate: bool | str) -> str | None:
    if isinstance(certificate, bool):
        return _CLIENT if certificate else None
    if not isinstance(certificate, str) or "@" not in certificate.strip("@"):
        raise ConfigurationError(
            f"certificate is {certificate!r}; write True, or an address such as 'bob@example.test'."
        )
    return certificate
