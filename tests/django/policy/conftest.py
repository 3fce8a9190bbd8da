"""What these tests ask of a project."""

from functools import partial

import pytest

from tests.support.django_projects.club import checked_in


@pytest.fixture
def checked(tmp_path):
    """What a project with these models is told, by place: code, text and lines."""
    return partial(checked_in, tmp_path)
