"""Schemathesis against the closing path as programs use it: bounded, and never a server error."""

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip(
    "schemathesis", reason="Schemathesis is installed for `make test-all` alone."
)
from schemathesis.generation import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

pytestmark = pytest.mark.slow
PATH = "/users/settings/close"
FIELDS = {
    "type": "object",
    "properties": {"current_password": {"type": "string"}, "confirm": {"type": "string"}},
}
ANSWER = {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "said"}
REFUSALS = {
    status: {
        "description": "refused",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["error", "message"],
                    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
                }
            }
        },
    }
    for status in ("400", "401", "403", "413", "422", "429")
}
SPECIFICATION = {
    "openapi": "3.1.0",
    "info": {"title": "Closing", "version": "1"},
    "paths": {
        PATH: {
            "get": {"responses": {"200": ANSWER, **REFUSALS}},
            "post": {
                "requestBody": {"content": {"application/json": {"schema": FIELDS}}},
                "responses": {"200": ANSWER, **REFUSALS},
            },
        }
    },
}


# A GET without parameters has nothing that could be wrong.
DRAWN = [
    ("GET", GenerationMode.POSITIVE),
    ("POST", GenerationMode.POSITIVE),
    ("POST", GenerationMode.NEGATIVE),
]


def cases(method, mode):
    schema = schemathesis.openapi.from_dict(SPECIFICATION)
    return schema[PATH][method].as_strategy(generation_mode=mode)


@pytest.mark.parametrize(("method", "mode"), DRAWN)
def test_whatever_a_program_sends_is_answered_as_described(garden, method, mode):
    """Signed in and with the token of the page, so that what is drawn gets past the doors."""
    garden.member()
    browser = garden.signed_in()
    browser.open("/users/settings")
    before = garden.everything()
    statuses = set()

    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(method, mode))
    def send(case):
        answer = browser.request(
            method,
            PATH,
            content=None if method == "GET" else json.dumps(case.body, default=repr),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "X-CSRF-Token": browser.token,
            },
        )
        # Sent in this process, where nobody has stopped the time.
        answer.elapsed = timedelta()
        statuses.add(answer.status_code)
        # No schema can say what the current password is, so valid is not yet accepted.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    send()

    assert statuses
    assert max(statuses) < 500
    assert garden.everything() == before
