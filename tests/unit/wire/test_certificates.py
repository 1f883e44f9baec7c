import builtins
import os
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mockmail import TLS, ConfigurationError, MissingExtraError, MockMail
from mockmail.wire import certificates
from mockmail.wire.certificates import Authority, authority, shared_directory


def test_an_authority_is_made_once_and_then_read(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(Authority, [tmp_path] * 8))
    assert {one.ca_file for one in made} == {str(tmp_path / "mockmail-ca.pem")}
    contents = Path(made[0].ca_file).read_bytes()
    assert {one._ca.cert_pem.bytes() for one in made} == {contents}
    assert {one._ca.private_key_pem.bytes() for one in made} == {(tmp_path / "mockmail-ca-key.pem").read_bytes()}
    if os.name == "posix":
        assert (tmp_path / "mockmail-ca-key.pem").stat().st_mode & 0o077 == 0


def test_the_directory_is_shared_for_a_while(tmp_path):
    before = authority()
    assert authority() is before
    with shared_directory(lambda: tmp_path):
        assert Path(authority().ca_file).parent == tmp_path
    assert authority() is before


def test_the_own_directory_goes_with_the_process_and_not_with_its_children():
    code = """
import os, sys
from mockmail import MockMail
mail = MockMail(tls=True)
print(mail.tls.ca_file, flush=True)
if hasattr(os, "fork"):
    child = os.fork()
    if not child:
        sys.exit(0)
    os.waitpid(child, 0)
    assert os.path.exists(mail.tls.ca_file)
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    directory = Path(ran.stdout.split()[0]).parent
    assert directory.name.startswith("mockmail-")
    assert not directory.exists()


def test_a_missing_extra_is_named_with_its_command(monkeypatch, tmp_path):
    real = builtins.__import__

    def without_trustme(name, *arguments):
        if name == "trustme":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_trustme)
    with shared_directory(lambda: tmp_path), pytest.raises(MissingExtraError, match=r"pip install 'mockmail\[tls\]'"):
        MockMail(tls=True).start()


def test_a_host_that_no_certificate_can_name(tmp_path):
    with pytest.raises(ConfigurationError, match=r"host is 'my_host', which no certificate can name: .*IP address"):
        Authority(tmp_path).server_context(TLS(), "my_host")


def handshake(server, client, name):
    """Both ends in memory; the names in the server's certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = [True, True]
    while any(waiting):
        for index, end in enumerate(ends):
            try:
                end.do_handshake()
                waiting[index] = False
            except ssl.SSLWantReadError:
                pass
    return ends[0].getpeercert()


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7", "mail.test", "::1", "0.0.0.0"])
def test_certificates_are_valid_for_what_clients_call_us(tmp_path, host):
    made = Authority(tmp_path)
    server, client = made.server_context(TLS(), host), made.client_context()
    client.verify_flags |= getattr(ssl, "VERIFY_X509_STRICT", 0)
    names = {"localhost", "127.0.0.1", "::1", host} - {"0.0.0.0"}
    for name in sorted(names):
        assert handshake(server, client, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "elsewhere.test")


def test_a_client_certificate_is_made_once_for_an_address():
    mail = MockMail(tls=True)
    file = mail.tls.client_certificate_file("bob@example.test")
    assert mail.tls.client_certificate_file("bob@example.test") == file
    assert mail.tls.client_certificate_file() != file
    if os.name == "posix":
        assert Path(file).stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="certificate is 'bob'; write True, or an address"):
        mail.tls.client_context(certificate="bob")


def test_nothing_is_imported_before_it_is_used():
    code = "import sys, mockmail.wire.certificates; print({'ssl', 'trustme', 'cryptography'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("set()\n", "")
    assert certificates.authority is authority
