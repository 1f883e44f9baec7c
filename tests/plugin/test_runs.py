"""The plugin in other people's runs: switched off, in parallel, strict, beside others, and unused."""

import re
import subprocess
import sys

import pytest


def test_it_can_be_switched_off_by_its_name(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(mockmail): pass")
    result = project.runpytest_subprocess("-p", "no:mockmail")
    result.stdout.fnmatch_lines(["*fixture 'mockmail' not found*"])


def test_it_can_be_loaded_by_hand(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    project.makepyfile("def test_it(mockmail): assert mockmail.smtp.port")
    project.runpytest_subprocess("-p", "mockmail.pytest_plugin").assert_outcomes(passed=1)


def test_each_worker_of_xdist_has_a_server_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from app import send

        @pytest.mark.parametrize("number", range(20))
        def test_it(mockmail, number):
            send(mockmail, f"user{number}@example.test")
            assert [m.recipients for m in mockmail.messages] == [(f"user{number}@example.test",)]
    """)
    project.runpytest_subprocess("-n", "2").assert_outcomes(passed=20)


def test_strict_runs_with_warnings_as_errors(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\npythonpath = .\n")
    project.makepyfile("""
        import imaplib
        import poplib
        from app import send

        def test_it(mockmail):
            send(mockmail)
            pop = poplib.POP3(*mockmail.pop3.address)
            pop.user("bob@example.test")
            pop.pass_("any")
            assert pop.stat()[0] == 1
            pop.quit()
            with imaplib.IMAP4(*mockmail.imap.address) as imap:
                imap.login("bob@example.test", "any")
                assert imap.select("INBOX")[1] == [b"1"]
    """)
    project.runpytest_subprocess("-W", "error", "--strict-markers", "--strict-config").assert_outcomes(passed=1)


def test_the_fixtures_are_listed_with_a_sentence_each(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("--fixtures", "-p", "no:anyio", "-p", "no:time_machine")
    for name in ("mockmail", "mockmail_server", "mockmail_factory", "mockmail_settings"):
        line = re.compile(rf"{name}( \[session scope\])? -- .*pytest_plugin\.py:\d+$")
        (at,) = (number for number, shown in enumerate(result.outlines) if line.match(shown))
        assert result.outlines[at + 1].endswith(".")
    markers = project.runpytest_subprocess("--markers")
    markers.stdout.fnmatch_lines(["@pytest.mark.mockmail(*settings): *"])


def test_loading_the_plugin_imports_pytest_and_typing_alone() -> None:
    code = """
import pytest, sys, typing
before = set(sys.modules)
import mockmail.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == {"mockmail", "mockmail.pytest_plugin"}


def test_a_run_without_mail_loads_the_plugin_alone(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pathlib
        import sys

        def test_it():
            pathlib.Path("loaded").write_text(" ".join(sys.modules))
    """)
    loaded = []
    for options in ((), ("-p", "no:mockmail")):
        project.runpytest_subprocess(*options).assert_outcomes(passed=1)
        loaded.append(set(project.path.joinpath("loaded").read_text().split()))
    assert loaded[0] - loaded[1] == {"mockmail", "mockmail.pytest_plugin"}


def test_importing_the_package_loads_no_interpreter_of_smtp() -> None:
    code = "import sys, mockmail; mockmail.MockMail; print('aiosmtpd' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_ini_options_are_the_table_of_settings() -> None:
    from mockmail.config import setting_fields
    from mockmail.pytest_plugin import _INI_OPTIONS

    assert [(row.name, row.kind, row.help) for row in setting_fields()] == list(_INI_OPTIONS)


def test_public_names_can_all_be_imported() -> None:
    import mockmail

    for name in mockmail.__all__:
        assert getattr(mockmail, name) is not None
    assert set(mockmail.__all__) <= set(dir(mockmail))
    with pytest.raises(AttributeError, match="no attribute 'Mockmail'"):
        _ = mockmail.Mockmail
