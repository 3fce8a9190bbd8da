"""Adopt accounts of a Django project, or erase them again by today's rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from efface.django.accounts import (
    defer_constraints,
    find_alias,
    in_own_transaction,
    prepare_commit,
    unwrap,
)
from efface.django.database.django_connection import sqlalchemy_connection
from efface.django.hiding.stale_instances import forget
from efface.django.policy.erasers import (
    find_user_database,
    read_primary_key,
    require_eraser,
    require_users,
)
from efface.django.signals import account_erased
from efface.eraser.closed_earlier import AdoptionPreview
from efface.evidence.receipt import Receipt


def adopt(user: Any, *, actor: str, using: str | None = None) -> Receipt:
    """Erase the account of *user*, which was soft-deleted before you used Efface.

    It carries out all rules and keeps the date in ``deleted_at``. As after `close_account`, signals
    are sent, sessions end, and the search follows the commit.

    Args:
        user: An instance of the model with `data_subject`, or its primary key.
        actor: Who asked, such as ``"ticket 8114"``, never a name.
        using: The database, if not the one to which the routers write the user.

    Raises:
        EffaceError: as `Eraser.adopt`. Nothing was changed.

    Example:
        receipt = adopt(1, actor="ticket 12")
    """
    user, alias = unwrap(user), find_alias(unwrap(user), using)
    database_eraser = require_eraser(require_users(alias))
    key = read_primary_key(database_eraser, user)

    def run() -> list[Receipt]:
        with transaction.atomic(using=alias):
            with sqlalchemy_connection(alias) as bind:
                receipt = database_eraser.eraser.adopt(bind, key, actor=actor)
            forget(user)
            return prepare_commit(database_eraser, key, receipt, alias, finalize=True)

    return in_own_transaction(run, alias)[-1]


def erase_again(user: Any, *, actor: str, using: str | None = None) -> Receipt:
    """Carry out today's rules for an account that Efface closed earlier.

    Use it after you have added a rule. Efface sends `account_erased` after the commit. What needs
    the user's identifiers can't be repeated: see ``eraser().unrepeatable()``.

    Args:
        user: The user's primary key.
        actor: Who asked, such as ``"ticket 8114"``, never a name.
        using: The database, if not the one to which the routers write users.

    Raises:
        EffaceError: as `Eraser.erase_again`. Nothing was changed.

    Example:
        receipt = erase_again(1, actor="ticket 12")
    """
    user, alias = unwrap(user), find_alias(unwrap(user), using)
    database_eraser = require_eraser(require_users(alias))
    key = read_primary_key(database_eraser, user)

    def run() -> Receipt:
        with transaction.atomic(using=alias):
            with sqlalchemy_connection(alias) as bind:
                receipt = database_eraser.eraser.erase_again(bind, key, actor=actor)
            defer_constraints(alias)
            said = {"subject": key, "receipt": receipt, "using": alias}
            transaction.on_commit(
                lambda: account_erased.send_robust(database_eraser.model, **said),
                using=alias,
                robust=True,
            )
        return receipt

    return in_own_transaction(run, alias)


def find_closed(
    *, before: datetime, recorded: bool, after: Any = None, using: str | None = None
) -> list[Any]:
    """Return a page of users whose ``deleted_at`` is before a moment, as `Eraser.find_closed`."""
    alias = using or find_user_database()
    database_eraser = require_eraser(require_users(alias))
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return database_eraser.eraser.find_closed(
            bind, before=before, recorded=recorded, after=after
        )


def preview_adoption(*, before: datetime, using: str | None = None) -> AdoptionPreview:
    """Return what adopting every account would do, as `Eraser.preview_adoption`."""
    alias = using or find_user_database()
    database_eraser = require_eraser(require_users(alias))
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return database_eraser.eraser.preview_adoption(bind, before=before)
