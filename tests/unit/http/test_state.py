"""What probes, Prometheus and pages ask for."""

import re
import smtplib
from collections.abc import Callable
from typing import Any


def test_metrics_have_the_names_of_mailpits(web: Any) -> None:
    with smtplib.SMTP(*web.mail.smtp.address) as smtp:
        smtp.sendmail("app@example.test", "bob+shop@example.test", "Subject: Hi\r\n\r\nHello\r\n")
    answer = web.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert {name: values.pop(name) for name in list(values) if "bytes" not in name and "uptime" not in name} == {
        "mailpit_messages": "1",
        "mailpit_messages_unread": "1",
        "mailpit_messages_deleted_total": "0",
        "mailpit_smtp_accepted_total": "1",
        "mailpit_smtp_rejected_total": "0",
        "mailpit_smtp_ignored_total": "0",
        'mailpit_tag_messages{tag="shop"}': "1",
    }
    assert set(values) == {
        "mailpit_database_size_bytes",
        "mailpit_smtp_accepted_size_bytes_total",
        "mailpit_uptime_seconds",
        "mailpit_memory_usage_bytes",
    }
    assert int(values["mailpit_database_size_bytes"]) == web.mail.messages[0].size
    assert len(re.findall("# TYPE mailpit_", answer.text)) == 11


def test_probes_need_no_login(serve: Callable[..., Any]) -> None:
    web = serve(http_auth="user:secret")
    assert [web.get(path).text for path in ("/livez", "/readyz")] == ["ok", "ok"]
    assert web.get("/metrics").status == 401


def test_the_page_is_told_where_mail_is_released_to(serve: Callable[..., Any]) -> None:
    relay = serve(domains=["example.test"], smarthost="smtp://user:secret@127.0.0.1:2525").get("/api/v1/webui")
    assert relay.json["MessageRelay"]["SMTPServer"] == "127.0.0.1:2525"
    assert "secret" not in relay.text
