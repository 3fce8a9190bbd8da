"""What must be done first: every way of closing an account asks the same function."""

import pytest

from efface.django import Blocker
from efface.errors import BlockedError

pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


def nobody_may(person):
    return [Blocker("Hand over the keys.", f"/keys/{person.pk}")]


@pytest.fixture
def blocked(settings_of):
    with settings_of(BLOCKERS=nobody_may):
        yield


def test_a_call_asks_and_nothing_was_changed(town, blocked):
    ada = town.ada()

    with pytest.raises(BlockedError) as stopped:
        town.close(ada)

    assert [blocker.href for blocker in stopped.value.reasons] == [f"/keys/{ada.pk}"]
    assert town.Person.get(pk=ada.pk).deleted_at is None
    assert town.receipts() == []


def test_it_finds_users_that_the_managers_hide(town, blocked):
    ada = town.ada()
    town.Person.filter(pk=ada.pk).update(is_active=False)

    with pytest.raises(BlockedError):
        town.close(ada.pk)


def test_an_override_is_recorded(town, blocked):
    from efface.django import close_account

    ada = town.ada()

    close_account(ada, actor="admin 7", using=town.alias, override_blockers="ticket 8114")

    assert [receipt.overridden for receipt in town.receipts()] == ["ticket 8114"]


def test_the_command_asks_too_and_can_override(town, blocked):
    from django.core.management import CommandError

    ada = town.ada()

    with pytest.raises(CommandError, match="E413 BlockedError"):
        town.command("close", str(ada.pk), "--actor", "ticket 8114")
    assert town.receipts() == []
    said = town.command(
        "close", str(ada.pk), "--actor", "ticket 8114", "--override-blockers", "a court order"
    )

    assert "Overridden: a court order" in said
    assert [receipt.overridden for receipt in town.receipts()] == ["a court order"]


def test_a_project_in_which_nothing_blocks_does_not_rehearse_its_batches(town, settings_of):
    from efface.django import eraser

    assert eraser(town.alias).blockers is None
    with settings_of(BLOCKERS=nobody_may):
        assert eraser(town.alias).blockers is not None
