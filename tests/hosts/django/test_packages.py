"""Presets against the packages themselves, in a process with settings of its own."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

PACKAGES = ("allauth", "rest_framework", "rest_framework_simplejwt", "simple_history")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def left():
    """What is left of Ada, and of Grace, after Ada has left."""
    if not all(map(find_spec, PACKAGES)):
        pytest.skip("Not all packages of the extra `ecosystem` are installed.")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.hosts.django.packages.closing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_table_of_the_packages_is_decided(left):
    assert left["problems"] == []


def test_addresses_accounts_and_credentials_go_and_those_of_others_stay(left):
    assert set(left["ada"].values()) == {0}
    assert set(left["grace"].values()) == {1}


def test_a_refresh_token_that_was_refused_stays_refused(left):
    assert left["refused"] == [True, False]
    assert len(left["tokens"]) == 2


def test_former_rows_go_with_the_rows_they_are_of(left):
    assert left["history"] == [0, 0, True, True]


def test_nothing_is_found_of_the_person(left):
    assert left["found"] == []
