"""The command in this process, and a town in processes of its own."""

from io import StringIO

import pytest

from tests.django.management.towns import Ended, with_ada
from tests.support.django_projects import processes


@pytest.fixture
def ended(town):
    """Run a command in this process; a refusal is its status and its words."""
    from django.core.management import CommandError, call_command

    def run(*arguments, database=town.alias):
        out, error = StringIO(), StringIO()
        said = [str(each) for each in arguments]
        try:
            call_command("efface", *said, "--database", database, stdout=out, stderr=error)
        except CommandError as refused:
            return Ended(refused.returncode, out.getvalue(), f"{error.getvalue()}{refused}")
        return Ended(0, out.getvalue(), error.getvalue())

    return run


@pytest.fixture
def site(tmp_path):
    """A town in processes of its own, in which Ada lives; they take their time."""
    return with_ada(processes.Town(tmp_path))
