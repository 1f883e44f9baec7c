"""What it costs when HTTP is off, and what is said when the extra is not installed."""

import subprocess
import sys

import pytest


def python(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    code = """
import sys
from mockmail import MockMail
with MockMail():
    pass
print([name for name in ("starlette", "uvicorn", "wsproto", "h11", "mockmail.http") if name in sys.modules])
"""
    assert python(code) == "[]\n"


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "wsproto"])
def test_a_missing_extra_is_said_with_the_command_that_installs_it(package: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
from mockmail import MissingExtraError, MockMail
try:
    MockMail(http_port=0).start()
except MissingExtraError as error:
    print(error)
"""
    assert python(code) == (f"http_port is set, but {package} is not installed: run `pip install 'mockmail[http]'`.\n")


def test_an_error_of_ours_is_answered_by_500_and_raised_in_the_test() -> None:
    code = """
import urllib.error, urllib.request
from mockmail import MockMail, ServerError
mail = MockMail(http_port=0).start()
class Broken:
    def __init__(self, *arguments): raise RuntimeError("broken on purpose")
import mockmail.http.desk
mockmail.http.desk.Catalogue = Broken
try:
    urllib.request.urlopen(mail.http.url + "/api/v1/messages")
except urllib.error.HTTPError as error:
    print(error.code)
mail.stop()
try:
    mail.check()
except ServerError as error:
    print(error.errors)
"""
    assert python(code) == "500\n(RuntimeError('broken on purpose'),)\n"
