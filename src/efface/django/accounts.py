"""Accounts closed on Django's own connection, and what follows when that is committed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Deferrable, Model
from django.utils.functional import LazyObject

from efface.django import settings
from efface.django.database.django_connection import engine, sqlalchemy_connection
from efface.django.database.error_hints import advise
from efface.django.database.login_sessions import end_sessions
from efface.django.hiding.stale_instances import forget
from efface.django.policy.erasers import (
    DatabaseEraser,
    find_user_database,
    fit_eraser,
    read_primary_key,
    require_eraser,
    require_users,
)
from efface.django.schema.models_to_metadata import models_in
from efface.django.signals import account_closed, account_erased, account_finalized
from efface.eraser.eraser import Eraser
from efface.eraser.pending_closings import PendingRun, finalize_one_by_one
from efface.evidence.database_search import Search
from efface.evidence.receipt import Receipt
from efface.plan.plan import Plan
from efface.store.closing_records import recorded_receipts


def eraser(using: str | None = None) -> Eraser:
    """Return the eraser for the database *using*, or for the one that has the people.

    Its methods take ``sqlalchemy_connection(alias)`` as their bind.
    """
    return fit_eraser(using or find_user_database()).eraser


def plan(user: Any, *, using: str | None = None) -> Plan:
    """Return what closing the account of *user* would do now; reads only.

    Args:
        user: An object of the model with `data_subject`, or its primary key.
        using: The database, where it is not the one that routers write the user to.
    """
    user = _loaded(user)
    alias = _alias(user, using)
    here = require_eraser(require_users(alias))
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return here.eraser.plan(bind, read_primary_key(here, user))


def close_account(
    user: Any,
    *,
    actor: str,
    using: str | None = None,
    plan: Plan | None = None,
    blockers: Callable[[Any], Iterable[Any]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    finalize: bool = True,
) -> Receipt:
    """Close the account of *user* in Django's transaction, and return the receipt.

    Without an open transaction it opens one. After the commit it sends `account_closed` and
    `account_erased`, finalizes in a transaction of its own, and sends `account_finalized`. *user*
    drops its loaded values, so that saving it can't write erased values back.

    Args:
        user: An object of the model with `data_subject`, or its primary key.
        actor: Who asked, such as ``"self-service"`` or ``"ticket 8114"``; never a name.
        using: The database, where it is not the one that routers write the user to.
        plan: A plan that somebody has read: refused when the database has moved on since.
        blockers: Takes the user, read under the lock, and returns reasons not to close the
            account, or none. What it reads must stay true until the commit:
            ``select_for_update()``.
        on_progress: Told how many of how many steps are done, while nothing is committed.
        finalize: Whether the post-commit pass and the search follow. If not, call `finalize`.

    Raises:
        WrongDatabaseError: the people are not in this database.
        AutocommitOffError: Django would not commit the closing.
        EffaceError: as `Eraser.close_account`; nothing was changed.
    """
    user = _loaded(user)
    alias = _alias(user, using)
    here = require_eraser(require_users(alias))
    key = read_primary_key(here, user)
    with transaction.atomic(using=alias):
        with sqlalchemy_connection(alias) as bind:
            asked = _asking(blockers, here, alias)
            receipt = here.eraser.close_account(
                bind, key, actor=actor, plan=plan, blockers=asked, on_progress=on_progress
            )
        latest = [receipt]
        _constraints_wait_again(alias)
        forget(user)
        if not receipt.already_closed:
            for follow in _what_follows(here, key, latest, alias, finalize=finalize):
                # Robust: the account is closed, and no part keeps the next from being done.
                transaction.on_commit(follow, using=alias, robust=True)
    return latest[-1]


def finalize(receipt: Receipt, *, using: str | None = None) -> Receipt:
    """Do the second pass and search the database, after the closing was committed.

    Raises:
        EffaceError: as `Eraser.finalize`.
    """
    return _finalized(receipt, using or find_user_database())


def run_pending(*, limit: int = 100, using: str | None = None) -> PendingRun:
    """Settle what a crash or a failed second pass has left, oldest first.

    Each closing has a transaction of its own, where none is open; then `account_finalized` is sent.
    What the lost process did not come to is done in the end, but for the signal `account_closed`:
    live sockets and sessions of these people are ended, if there are any left.
    Several workers may call this at once. One that fails keeps no other from being settled, and is
    due again the next time.

    Args:
        limit: The most closings that are settled.
        using: The database, where it is not the one that routers write users to.

    Raises:
        EffaceError: as `Eraser.run_pending`.
    """
    alias = using or find_user_database()
    here = require_eraser(require_users(alias))

    def once(failed: Collection[str]) -> PendingRun:
        with transaction.atomic(using=alias):
            with sqlalchemy_connection(alias) as bind:
                done = here.eraser.run_pending(bind, limit=1, exclude=failed)
            for failure in done.failures:
                advise(failure.error, alias)
            _constraints_wait_again(alias)
            for receipt in done.receipts:
                _announce(here, receipt, alias)
        return done

    *_, pending_run = finalize_one_by_one(once, limit)
    people = [
        read_primary_key(here, key if len(key) > 1 else key[0]) for key in pending_run.keys if key
    ]

    def end() -> None:
        for key in people:
            _end_live_sockets(key)
        # For all at once: it may read every session that there is.
        end_sessions(people, here.eraser.policy)

    transaction.on_commit(end, using=alias, robust=True)
    return pending_run


def _finalized(receipt: Receipt, alias: str) -> Receipt:
    here = require_eraser(require_users(alias))
    with transaction.atomic(using=alias):
        with sqlalchemy_connection(alias) as bind:
            finalized = here.eraser.finalize(bind, receipt)
        _constraints_wait_again(alias)
        if finalized.finalized_at != receipt.finalized_at:
            _announce(here, finalized, alias)
    return finalized


def _announce(here: DatabaseEraser, finalized: Receipt, alias: str) -> None:
    def follow() -> None:
        account_finalized.send_robust(here.model, receipt=finalized, using=alias)

    transaction.on_commit(follow, using=alias)


def verify(user: Any, identifiers: Iterable[str], *, using: str | None = None) -> Search:
    """Search every text and JSON column for *identifiers* of *user*; reads only."""
    user = _loaded(user)
    alias = _alias(user, using)
    here = require_eraser(require_users(alias))
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return here.eraser.verify(bind, read_primary_key(here, user), identifiers)


def receipts(since: datetime | None = None, *, using: str | None = None) -> list[Receipt]:
    """Return the recorded receipts, oldest first; reads only.

    Args:
        since: Leaves out accounts closed before this moment; aware.
        using: The database, where it is not the one that routers write users to.
    """
    alias = using or find_user_database()
    with engine(alias).connect() as bind:
        return [Receipt.from_json(text) for text in recorded_receipts(bind, since)]


def _what_follows(
    here: DatabaseEraser, key: Any, latest: list[Receipt], alias: str, *, finalize: bool
) -> Iterator[Callable[[], object]]:
    """Yield what is done after the commit; the settled receipt is added to *latest*."""
    said = {"subject": key, "receipt": latest[0], "using": alias}
    yield lambda: account_closed.send_robust(here.model, **said)
    yield lambda: _end_live_sockets(key)
    yield lambda: end_sessions([key], here.eraser.policy)
    yield lambda: account_erased.send_robust(here.model, **said)
    if finalize:
        yield lambda: latest.append(_finalized(latest[0], alias))


def _end_live_sockets(key: Any) -> None:
    live = settings.page_settings().live
    if live is not None:
        live.end_soon(key)


def _asking(
    blockers: Callable[[Any], Iterable[Any]] | None, here: DatabaseEraser, alias: str
) -> Callable[[Any, Any], tuple[Any, ...]] | None:
    """Return *veto* as the engine asks it: of a key, in the transaction of the closing."""
    if blockers is None:
        return None

    def ask(_: Any, key: Any) -> tuple[Any, ...]:
        return tuple(blockers(here.model._base_manager.using(alias).get(pk=key)))

    return ask


def _loaded(user: Any) -> Any:
    """Return the object behind ``request.user``, which is loaded when it is first looked at."""
    if isinstance(user, LazyObject) and isinstance(user, Model):
        return user._wrapped
    return user


def _alias(user: Any, using: str | None) -> str:
    if using is not None:
        return using
    if isinstance(user, Model):
        using = router.db_for_write(type(user), instance=user)
    return using or find_user_database()


def _constraints_wait_again(alias: str) -> None:
    """Let constraints wait for the commit again, as Django leaves them.

    The engine has had them checked at once, so that it is told what is broken. Those that a model
    wants to be checked at once by themselves go on to be.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            if names := ", ".join(map(connection.ops.quote_name, _checked_at_once(alias))):
                cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")


@cache
def _checked_at_once(alias: str) -> tuple[str, ...]:
    """Return the names of constraints that can wait, and do so only where one says it."""
    return tuple(
        constraint.name
        for model in models_in(alias)
        for constraint in model._meta.constraints
        if getattr(constraint, "deferrable", None) is Deferrable.IMMEDIATE
    )
