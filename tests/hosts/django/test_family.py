"""Users spread over two tables, closed from either end, in processes of their own."""

import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import make_url

from tests import databases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["child", "parent"])
def person(request):
    """Which of the two models has data_subject()."""
    return request.param


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def left(request, person, server_urls):
    """What is left of Ada, who had rows in both tables and in that of another child."""
    environment = {**os.environ, "FAMILY": person}
    if request.param == "postgresql":
        databases.emptied(server_urls["postgresql"]).dispose()
        url = make_url(server_urls["postgresql"])
        environment |= {
            "FAMILY_DATABASE": url.database,
            "PGHOST": url.host or url.query.get("host", ""),
            "PGUSER": url.username or "",
            "PGPASSWORD": url.password or "",
            "PGPORT": str(url.port or ""),
        }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.hosts.django.family.closing"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_rows_of_ancestors_and_children_are_redacted(left, person):
    assert left["problems"] == []
    account, member, staff = (left["rows"][name] for name in ("Account", "Member", "Staff"))
    assert account["email"].endswith("@users.invalid")
    assert (account["name"], account["password"]) == ("", "")
    assert (member["nick"], staff["desk"]) == ("", "")
    moments = {"child": member["deleted_at"], "parent": account["left_at"]}
    assert [name for name, moment in moments.items() if moment] == [person]


def test_nothing_of_somebody_else_changes(left):
    assert left["grace_is_as_before"]
    assert left["posts"][:2] == ["", "by gracehopper"]


def test_whoever_has_left_is_in_neither_table(left):
    assert left["shown"] == [[left["grace"]], [left["grace"]]]
    assert left["again"]


def test_the_search_knows_what_stood_in_the_ancestors_row(left):
    assert left["found"] == ["family_post.body"]
