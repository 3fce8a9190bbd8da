"""Introducing Efface: a project without all rules runs, and closes no account."""

from contextlib import nullcontext, redirect_stderr
from io import StringIO

import pytest


@pytest.mark.parametrize("strict", [False, True])
def test_only_a_strict_project_is_stopped_by_a_missing_rule(django, settings_of, strict):
    """Whoever introduces Efface can run the project meanwhile, and closes no account."""
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError

    from efface.django import plan
    from efface.django.checks import check_policy
    from efface.errors import IncompletePolicyError
    from tests.support.django_projects.town.models import Tag

    kept = Tag.efface
    del Tag.efface
    try:
        with settings_of(STRICT=strict):
            (found,) = check_policy()
            stops = pytest.raises(SystemCheckError) if strict else nullcontext()
            with stops, redirect_stderr(StringIO()):
                call_command("check", tags=["efface"])
            with pytest.raises(IncompletePolicyError):
                plan(1)
    finally:
        Tag.efface = kept

    assert (found.id, found.is_serious()) == ("efface.E101", strict)
