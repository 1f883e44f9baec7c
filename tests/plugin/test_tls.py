def test_all_workers_share_one_authority(project):
    project.makepyfile("""
        import pathlib
        import pytest

        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.mockmail(tls=True)
        def test_tls(mockmail, number, worker_id):
            ca_file = pathlib.Path(mockmail.tls.ca_file)
            pathlib.Path("seen-" + worker_id).write_text(str(ca_file) + ca_file.read_text())
            assert mockmail.smtps.port
    """)
    result = project.runpytest_subprocess("-n", "2", "-p", "xdist")
    result.assert_outcomes(passed=6)
    seen = {path.name: path.read_text() for path in project.path.glob("seen-*")}
    assert set(seen) == {"seen-gw0", "seen-gw1"}
    assert len(set(seen.values())) == 1


def test_the_ini_option_and_the_report_header(project):
    project.makeini("""
        [pytest]
        mockmail_tls = certificate=expired,starttls=hide
        mockmail_imaps_port = none
    """)
    project.makepyfile("""
        import pytest
        from mockmail import TLS

        def test_settings(mockmail, tmp_path_factory):
            assert mockmail.settings.tls == TLS(certificate="expired", starttls="hide")
            assert list(mockmail.endpoints) == ["smtp", "pop3", "imap", "smtps", "pop3s"]
            assert mockmail.tls.ca_file.startswith(str(tmp_path_factory.getbasetemp()))

        @pytest.mark.mockmail(tls=True)
        def test_a_marker_gets_a_server_of_its_own(mockmail):
            assert mockmail.settings.tls is True
    """)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["mockmail: profile=standard, tls=certificate=expired,starttls=hide, *"])
