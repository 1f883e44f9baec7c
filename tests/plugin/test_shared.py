"""One server for all workers: begun by the first, stopped by the last, each test seeing its own."""

import contextlib
import json
import os
import socket

import pytest

TESTS = """
    import json
    import os
    import smtplib
    from pathlib import Path

    import pytest

    @pytest.mark.parametrize("number", range(6))
    def test_mail(mockmail_shared, number, request, tmp_path_factory):
        base = tmp_path_factory.getbasetemp()
        base = base.parent if hasattr(request.config, "workerinput") else base
        told = json.loads((base / "mockmail-shared.json").read_text())
        assert told["url"] == mockmail_shared.url
        assert told["leases"] >= 1
        with open("seen.txt", "a") as seen:
            seen.write(f"{mockmail_shared.url} {told['lease_port']} {mockmail_shared.domain} {os.getpid()}\\n")
        bob = mockmail_shared.address("bob")
        with smtplib.SMTP(*mockmail_shared.smtp.address) as smtp:
            smtp.sendmail("app@example.test", [bob], f"Subject: Test {number}\\n\\nHi.\\n")
        assert mockmail_shared.assert_delivered(to=bob).subject == f"Test {number}"
        assert len(mockmail_shared.messages) == 1
"""


@pytest.fixture(autouse=True)
def only_what_is_needed(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of such a run goes into importing plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p mockmail.pytest_plugin")


def seen(project: pytest.Pytester) -> list[list[str]]:
    return [line.split() for line in (project.path / "seen.txt").read_text().splitlines()]


def is_over(lease_port: str) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(lease_port))) != 0


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_all_workers_share_a_server_that_is_gone_afterwards(
    project: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    project.makepyfile(TESTS)
    project.runpytest_subprocess(*arguments).assert_outcomes(passed=6)
    urls, lease_ports, domains, processes = map(set, zip(*seen(project), strict=True))
    assert (len(urls), len(lease_ports), len(domains)) == (1, 1, 6)
    assert len(processes) == (2 if "xdist" in arguments else 1)
    assert is_over(lease_ports.pop())


def test_a_worker_that_crashes_leaves_no_server_behind(project: pytest.Pytester) -> None:
    project.makepyfile(
        TESTS
        + """
    def test_crash(mockmail_shared):
        os._exit(3)
    """
    )
    result = project.runpytest_subprocess("-p", "xdist", "-n", "2", "--max-worker-restart", "0")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*crashed while running*test_crash*"])
    for lease_port in {row[1] for row in seen(project)}:
        assert is_over(lease_port)


def test_a_run_that_crashes_alone_leaves_none_either(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import json
        import os

        def test_crash(mockmail_shared, tmp_path_factory):
            told = (tmp_path_factory.getbasetemp() / "mockmail-shared.json").read_text()
            open("told.json", "w").write(told)
            os._exit(3)
    """)
    project.runpytest_subprocess()
    told = json.loads((project.path / "told.json").read_text())
    # The server stops at once, since it has no other lease: who knocks meanwhile is cut off when it has stopped.
    with socket.socket() as probe, contextlib.suppress(ConnectionResetError):
        probe.settimeout(60)
        if probe.connect_ex(("127.0.0.1", told["lease_port"])) == 0:
            while probe.recv(4096):
                pass
    assert is_over(told["lease_port"])


def test_a_failure_shows_this_tests_conversations_alone(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import smtplib

        def test_wrong(mockmail_shared):
            for to in (mockmail_shared.address("bob"), "else@where.test"):
                with smtplib.SMTP(*mockmail_shared.smtp.address) as smtp:
                    smtp.sendmail("app@example.test", [to], "Subject: Hi\\n\\nHi.\\n")
            assert mockmail_shared.messages == []
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mockmail transcript*", "*C: rcpt *", "*mockmail mailboxes*", "bob@t-*INBOX: 1*"])
    result.stdout.no_re_match_line("(?i)C: rcpt to:<else.*")


def test_an_unused_fault_is_warned_of(project: pytest.Pytester) -> None:
    project.makepyfile("""
        def test_unused(mockmail_shared):
            mockmail_shared.faults.smtp("RCPT", drop=True, to=mockmail_shared.address("bob"))
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*UnusedFaultWarning: The fault 'smtp RCPT drop=True' never fired*"])


def test_the_marker_cannot_change_it(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        @pytest.mark.mockmail(profile="minimal")
        def test_marked(mockmail_shared):
            pass
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the marker mockmail sets profile, but mockmail_shared is the server of all*"])


def test_settings_of_the_run_hold_and_a_login_is_in_the_url(project: pytest.Pytester) -> None:
    project.makeini("""
        [pytest]
        mockmail_profile = minimal
        mockmail_tls = true
        mockmail_http_auth = user:p@ss
    """)
    project.makepyfile("""
        def test_settings(mockmail_shared, mockmail):
            assert mockmail_shared.settings.profile == "minimal"
            assert mockmail_shared.tls.ca_file == mockmail.tls.ca_file
            assert "p@ss" not in mockmail_shared.url
            mockmail_shared.seed(to=mockmail_shared.address("bob"), subject="One")
            assert len(mockmail_shared.account(mockmail_shared.address("bob")).inbox) == 1
    """)
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_settings_that_cannot_be_sent_or_served_are_said(project: pytest.Pytester) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        project.makeconftest(f"""
            import dataclasses
            import datetime
            import os
            import pytest

            @pytest.fixture(scope="session")
            def mockmail_settings(mockmail_settings):
                if os.environ.get("PORT"):
                    return dataclasses.replace(mockmail_settings, smtp_port={taken.getsockname()[1]})
                return dataclasses.replace(mockmail_settings, retry_schedule=lambda attempt: datetime.timedelta(1))
        """)
        project.makepyfile("def test_one(mockmail_shared): pass")
        result = project.runpytest_subprocess()
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*The settings cannot be given to the shared server, which is another process*"])
        os.environ["PORT"] = "1"
        try:
            result = project.runpytest_subprocess()
        finally:
            del os.environ["PORT"]
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*The shared server could not be started:*the port is in use*"])


def test_a_missing_extra_is_said_with_the_command_that_installs_it(project: pytest.Pytester) -> None:
    project.makeconftest("import sys; sys.modules['uvicorn'] = None")
    project.makepyfile("def test_one(mockmail_shared): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*uvicorn is not installed: run `pip install 'mockmail?http?'`."])
