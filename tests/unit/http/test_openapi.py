"""The OpenAPI document says what the routes do and answer, and nothing that fits it, or nearly, breaks the server."""

from collections.abc import Collection
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from starlette.routing import Route

from mockmail.http.app import routes
from mockmail.http.openapi import document

SLOW = "/api/v1/stream"
"""Never ends, so a client that reads to the end would wait for ever; test_own.py has it."""
OPERATIONS = [(method, path) for path, methods in document()["paths"].items() for method in methods if path != SLOW]


def test_the_document_has_every_route_and_no_other() -> None:
    served = {
        (method.lower(), route.path.replace(":path", ""))
        for route in routes()
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    told = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert told == served


def test_it_is_served(web: Any) -> None:
    assert web.get("/api/v1/openapi.json").json == document()


def ask_much(web: Any, cases: Any, documented: Collection[str]) -> None:
    @hypothesis.settings(
        max_examples=10, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=cases)
    def ask(case: Any) -> None:
        case.query.pop("wait", None)
        for name, real in (("id", "latest"), ("address", "bob@example.test"), ("part", "1"), ("uid", "1")):
            if name in case.path_parameters and len(str(case.path_parameters[name])) % 2:
                case.path_parameters[name] = real
        status = case.call(base_url=web.mail.http.url, timeout=20, allow_redirects=False).status_code
        assert 400 <= status < 500 or str(status) in documented

    ask()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_is_answered_by_500(web: Any, method: str, path: str) -> None:
    web.mail.seed(to="bob@example.test", subject="Hi", html="<p>x</p>", attachments=[("a.txt", b"x")])
    schema = schemathesis.openapi.from_dict(document())
    operation = schema[path][method.upper()]

    for mode in GenerationMode:
        breakable = bool(operation.body) or bool(operation.query)
        if mode is GenerationMode.POSITIVE or breakable:
            ask_much(web, operation.as_strategy(generation_mode=mode), document()["paths"][path][method]["responses"])
    web.mail.check()
    web.mail.faults.clear()
