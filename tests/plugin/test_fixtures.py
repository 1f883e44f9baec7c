"""Scopes, reset, marker, ini options and reports of the plugin."""

import pytest


def test_each_test_begins_with_an_empty_server_on_the_same_ports(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from app import send
        ports = []

        def test_one(mockmail):
            send(mockmail)
            assert len(mockmail.messages) == 1
            ports.append(mockmail.smtp.port)

        def test_two(mockmail):
            assert len(mockmail.messages) == 0
            assert mockmail.delivered() == []
            ports.append(mockmail.smtp.port)

        def test_three(mockmail_server):
            assert ports == [mockmail_server.smtp.port] * 2
    """)
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=3)


def test_the_session_server_keeps_mail_between_tests_that_use_it_alone(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from app import send

        def test_one(mockmail_server):
            send(mockmail_server)

        def test_two(mockmail_server):
            mockmail_server.assert_delivered(to="bob@example.test")
    """)
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_the_marker_changes_settings_for_one_test_on_the_same_ports(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import smtplib
        import pytest
        from app import send

        @pytest.mark.mockmail(users={"ann@example.test": "secret"})
        def test_marked(mockmail, mockmail_server):
            assert mockmail is mockmail_server
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                send(mockmail, "bob@example.test")
            mockmail.assert_rejected(to="bob@example.test", code=550)

        def test_unmarked(mockmail):
            send(mockmail, "bob@example.test")
            mockmail.assert_delivered(to="bob@example.test")

        @pytest.mark.mockmail(domains=["a.test"])
        class TestMarkersAdd:
            @pytest.mark.mockmail(unknown_recipients="refuse")
            def test_both(self, mockmail):
                assert mockmail.settings.domains == ("a.test",)
                assert mockmail.settings.unknown_recipients == "refuse"
    """)
    project.runpytest_subprocess("--strict-markers").assert_outcomes(passed=3)


def test_a_marker_that_needs_other_ports_gets_a_server_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from mockmail import NotRunningError

        @pytest.mark.mockmail(pop3_port=None)
        def test_own(mockmail):
            with pytest.raises(NotRunningError, match="pop3_port=0"):
                mockmail.pop3

        @pytest.mark.mockmail(pop3_port=None)
        def test_both(mockmail, mockmail_server):
            pass
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the marker mockmail sets pop3_port, which needs a server of its own*"])


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("mockmail(user={})", "*There is no setting 'user'; did you mean 'users'?*"),
        ("mockmail('minimal')", "*takes settings by keyword*"),
        ("mockmail(profile='gmial')", "*There is no profile 'gmial'*"),
    ],
)
def test_a_wrong_marker_is_a_usage_error(project: pytest.Pytester, marker: str, sentence: str) -> None:
    project.makepyfile(f"""
        import pytest

        @pytest.mark.{marker}
        def test_it(mockmail):
            pass
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([sentence])


def test_ini_options_and_environment_are_the_runs_settings(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKMAIL_TIMEOUT", "3")
    monkeypatch.setenv("MOCKMAIL_PLUS_TAGS", "false")
    monkeypatch.setenv("MOCKMAIL_SMTP_PORT", "1")  # of `mockmail serve` alone
    project.makeini("""
        [pytest]
        mockmail_timeout = 2.5
        mockmail_require_auth = true
        mockmail_users =
            bob@example.test:secret
            ann@example.test:word
        mockmail_hide =
            imap=IDLE
    """)
    project.makepyfile("""
        def test_it(mockmail):
            settings = mockmail.settings
            assert settings.timeout == 2.5
            assert settings.require_auth is True
            assert settings.plus_tags is False
            assert settings.users == {"bob@example.test": "secret", "ann@example.test": "word"}
            assert settings.hide == {"imap": ("IDLE",)}
            assert mockmail.smtp.port > 1
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["mockmail: profile=standard, tls=off, logins=bob@example.test,ann@example.test, timeout=2.5s"]
    )


def test_native_toml_options_have_their_own_types(project: pytest.Pytester) -> None:
    project.path.joinpath("pytest.ini").unlink(missing_ok=True)
    project.path.joinpath("tox.ini").unlink(missing_ok=True)
    project.makepyprojecttoml("""
        [tool.pytest]
        mockmail_timeout = "1.5"
        mockmail_require_auth = true
        mockmail_domains = ["a.test", "b.test"]
    """)
    project.makepyfile("""
        def test_it(mockmail):
            assert mockmail.settings.timeout == 1.5
            assert mockmail.settings.require_auth is True
            assert mockmail.settings.domains == ("a.test", "b.test")
    """)
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_wrong_ini_option_names_itself(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nmockmail_max_messages = lots\n")
    project.makepyfile("def test_it(mockmail): pass")
    result = project.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*the ini option mockmail_max_messages is 'lots', which cannot be read*"])


def test_settings_can_be_overridden_in_a_conftest(project: pytest.Pytester) -> None:
    project.makeconftest("""
        import dataclasses
        import pytest

        @pytest.fixture(scope="session")
        def mockmail_settings(mockmail_settings):
            return dataclasses.replace(mockmail_settings, users={"bob@example.test": "secret"})
    """)
    project.makepyfile("""
        def test_it(mockmail):
            assert list(mockmail.settings.users) == ["bob@example.test"]
    """)
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_factory_starts_more_servers_and_stops_them(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from app import send
        servers = []

        def test_two(mockmail_factory, mockmail):
            one, two = mockmail_factory(domains=["a.test"]), mockmail_factory(domains=["b.test"])
            servers.extend([one, two])
            send(one, "x@a.test")
            send(two, "y@b.test")
            one.assert_delivered(to="x@a.test")
            two.assert_delivered(to="y@b.test")
            assert not mockmail.messages
            assert len({one.smtp.port, two.smtp.port, mockmail.smtp.port}) == 3

        def test_stopped():
            for server in servers:
                with pytest.raises(RuntimeError, match="do not run"):
                    server.smtp
    """)
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_a_failed_test_shows_the_transcript_and_the_mailboxes(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from app import send

        def test_it(mockmail):
            send(mockmail, subject="Welcom")
            mockmail.assert_delivered(to="bob@example.test", subject="Welcome", timeout=0)
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*mockmail.assert_delivered(to=*",
            "*Welcom*",
            "*C: rcpt *",
            "*Captured mockmail mailboxes call*",
            "bob@example.test INBOX: 1 message",
        ]
    )
    # The failure has the transcript itself: once is enough.
    assert result.stdout.str().lower().count("c: rcpt to:<bob@example.test>") == 1


def test_a_test_that_fails_for_its_own_reasons_shows_the_transcript_too(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from app import send

        def test_it(mockmail):
            send(mockmail, subject="Welcome")
            assert 1 == 2
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Captured mockmail transcript call*",
            "C: rcpt *",
            "*Captured mockmail mailboxes call*",
            "  1  from *  'Welcome'",
        ]
    )


def test_messages_are_compared_with_a_list_of_what_differs(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from app import send

        def test_it(mockmail):
            send(mockmail, subject="Welcome")
            assert mockmail.messages == []
    """)
    result = project.runpytest_subprocess()
    result.stdout.fnmatch_lines(
        ["*Left contains one more item: <Message 'Welcome' from app@example.test to bob@example.test>"]
    )


def test_an_error_inside_a_server_fails_the_test_that_caused_it(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import smtplib
        import pytest
        from mockmail.core.store import Store

        def test_it(mockmail, monkeypatch):
            def broken(*args, **kwargs):
                raise ZeroDivisionError("a bug")
            monkeypatch.setattr(Store, "accept", broken)
            with smtplib.SMTP(*mockmail.smtp.address) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
                smtp.sendmail("a@a.test", ["b@b.test"], "Subject: x\\n\\n")
            assert refused.value.smtp_code == 451
            assert b"bug" not in refused.value.smtp_error

        def test_next(mockmail):
            assert not mockmail.messages
    """)
    result = project.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ServerError: *ZeroDivisionError: a bug*"])


def test_late_mail_of_the_test_before_is_not_shown_and_warned_of(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import smtplib
        import pytest
        from mockmail import LateMailWarning
        left = []

        def test_one(mockmail):
            smtp = smtplib.SMTP(*mockmail.smtp.address)
            smtp.ehlo()
            smtp.mail("app@example.test")
            smtp.rcpt("bob@example.test")
            assert smtp.docmd("DATA")[0] == 354
            left.append(smtp)

        def test_two(mockmail):
            with left.pop() as smtp:
                smtp.send(b"Subject: late\\r\\n\\r\\n.\\r\\n")
                assert smtp.getreply()[0] == 451
            assert not mockmail.messages
            with pytest.warns(LateMailWarning, match="late"):
                mockmail.check()
    """)
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_a_failed_test_says_why_logins_were_refused(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import poplib

        def test_it(mockmail):
            mockmail.add_user("bob@example.test", "secret")
            pop = poplib.POP3(*mockmail.pop3.address)
            try:
                pop.user("bob@example.test")
                pop.pass_("guess")
            finally:
                pop.close()
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Captured mockmail refused logins call*", "pop3-1: the password of 'bob@example.test' is wrong"]
    )


def test_a_wrong_argument_is_shown_where_it_was_written(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        def test_criterion(mockmail):
            mockmail.assert_delivered(recipient="bob@example.test")

        def test_setting(mockmail_factory):
            mockmail_factory(user={})

        @pytest.mark.mockmail(profil="minimal")
        def test_marker(mockmail):
            pass

        def test_endpoint(mockmail):
            mockmail.lmtp

        def test_address(mockmail):
            mockmail.account("bob")

        def test_folder(mockmail):
            mockmail.account("bob@example.test").folder("Archive")

        def test_message(mockmail):
            mockmail.messages[0]
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=6, errors=1)
    result.stdout.no_fnmatch_line("*[/\\]mockmail[/\\][a-oq-z]*.py:*")  # no line of the library but the fixture's
    result.stdout.fnmatch_lines_random(
        [
            "E *has no criterion 'recipient'.*",
            "E *no setting 'user'; did you mean 'users'[?]",
            "E *in the marker mockmail: There is no setting 'profil'; did you mean 'profile'[?]",
            "E *lmtp is not started*",
            "E *'bob' is no full address; write one such as 'bob@example.test'.",
            "E *has no folder 'Archive'; it has 'INBOX'.*",
            "E *IndexError: no messages were delivered; there is no [[]0].",
        ]
    )
