"""Close accounts on Django's own connection, and run the follow-up after the commit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connections, router, transaction
from django.db.models import Deferrable, Model
from django.utils.functional import LazyObject

from efface.django import settings
from efface.django.database.django_connection import get_engine, sqlalchemy_connection
from efface.django.database.error_hints import add_advice
from efface.django.database.login_sessions import end_sessions
from efface.django.hiding.stale_instances import forget
from efface.django.policy.erasers import (
    DatabaseEraser,
    find_locked,
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
from efface.execute.retries import retried
from efface.plan.plan import Plan
from efface.store.closing_records import recorded_receipts

T = TypeVar("T")


def eraser(using: str | None = None) -> Eraser:
    """Return the eraser for the database *using*, or by default for the database of the users.

    Pass ``sqlalchemy_connection(alias)`` as the bind to its methods.

    Args:
        using: The alias of the database.

    Raises:
        EffaceError: the settings, the rules or the policy are not usable.

    Example:
        with transaction.atomic(), sqlalchemy_connection("default") as bind:
            receipt = eraser().find_receipt(bind, user.pk)
    """
    return fit_eraser(using or find_user_database()).eraser


def plan(user: Any, *, using: str | None = None) -> Plan:
    """Return what closing the account of *user* would do now, without changing anything.

    Args:
        user: An instance of the model with `data_subject`, or its primary key.
        using: The database, if not the one to which the routers write the user.

    Raises:
        PolicyError: a column has no rule, or an action is impossible.
        WrongDatabaseError: the users are not in this database.
        EffaceError: as `Eraser.plan`.

    Example:
        print(plan(request.user).explain())
    """
    user = unwrap(user)
    alias = find_alias(user, using)
    database_eraser = require_eraser(require_users(alias))
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return database_eraser.eraser.plan(bind, read_primary_key(database_eraser, user))


def close_account(
    user: Any,
    *,
    actor: str,
    using: str | None = None,
    plan: Plan | None = None,
    blockers: Callable[[Any], Iterable[Any]] | None = None,
    override_blockers: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    finalize: bool = True,
) -> Receipt:
    """Close the account of *user* in Django's transaction, and return the receipt.

    Efface opens a transaction if none is open. After the commit it sends `account_closed` and
    `account_erased`, finalizes in its own transaction, and sends `account_finalized`. *user* drops
    its loaded values, so `save` can't restore them. A closed account has its first receipt.

    Args:
        user: An instance of the model with `data_subject`, or its primary key.
        actor: Who asked, such as ``"self-service"`` or ``"ticket 8114"``, never a name.
        using: The database, if not the one to which the routers write the user.
        plan: A plan that you reviewed. Efface refuses if the database has changed since.
        blockers: Asked in addition to ``BLOCKERS``: takes the locked user, returns reasons.
        override_blockers: Why to close the account in spite of blockers, for the receipt.
        on_progress: Takes the numbers of finished steps and of all steps.
        finalize: Whether the post-commit pass and the search follow.

    Raises:
        EffaceError: as `Eraser.close_account`. Nothing was changed.

    Example:
        receipt = close_account(request.user, actor="self-service")
    """
    user, alias = unwrap(user), find_alias(unwrap(user), using)
    database_eraser = require_eraser(require_users(alias))
    key = read_primary_key(database_eraser, user)
    ask = _adapt_blockers(blockers, database_eraser, alias)
    said: dict[str, Any] = {"actor": actor, "override_blockers": override_blockers}

    def close() -> list[Receipt]:
        with transaction.atomic(using=alias):
            with sqlalchemy_connection(alias) as bind:
                receipt = database_eraser.eraser.close_account(
                    bind, key, plan=plan, blockers=ask, on_progress=on_progress, **said
                )
            # Before the commit, because code later in this transaction may save the user.
            forget(user)
            return prepare_commit(database_eraser, key, receipt, alias, finalize=finalize)

    return in_own_transaction(close, alias)[-1]


def in_own_transaction(run: Callable[[], T], alias: str) -> T:
    """Run it again after a deadlock, unless its transaction is the caller's."""
    return run() if connections[alias].in_atomic_block else retried(run)


def finalize(receipt: Receipt, *, using: str | None = None) -> Receipt:
    """Run the post-commit pass and search the database, after the commit of the closure.

    Sends `account_finalized` after its own commit.

    Args:
        receipt: The receipt that `close_account` returned.
        using: The database, if not the one to which the routers write users.

    Returns:
        The receipt with ``finalized_at`` and the result of the search.

    Raises:
        EffaceError: as `Eraser.finalize`.
    """
    return _finalize(receipt, using or find_user_database())


def run_pending(*, limit: int = 100, using: str | None = None) -> PendingRun:
    """Finalize unfinished account closures, oldest first, such as after a crash.

    Each closure has a transaction of its own, unless one is already open. Then Efface sends
    `account_finalized`. At the end it closes the WebSockets and ends the sessions of these users.
    It doesn't send `account_closed` again. Several workers can run at the same time. If one closure
    fails, the others continue, and it stays pending.

    Args:
        limit: The most account closures to finalize.
        using: The database, if not the one to which the routers write users.

    Returns:
        The finalized receipts, the failures, and the number still pending.

    Raises:
        EffaceError: as `Eraser.run_pending`.
    """
    alias = using or find_user_database()
    database_eraser = require_eraser(require_users(alias))

    def finalize_one(failed: Collection[str]) -> PendingRun:
        with transaction.atomic(using=alias):
            with sqlalchemy_connection(alias) as bind:
                done = database_eraser.eraser.run_pending(bind, limit=1, exclude=failed)
            for failure in done.failures:
                add_advice(failure.error, alias)
            defer_constraints(alias)
            for receipt in done.receipts:
                _announce(database_eraser, receipt, alias)
        return done

    *_, pending_run = finalize_one_by_one(finalize_one, limit)
    # The engine returns each primary key as a tuple. Django needs a plain value for one column.
    user_keys = [
        read_primary_key(database_eraser, key if len(key) > 1 else key[0])
        for key in pending_run.keys
        if key
    ]

    def end_logins() -> None:
        for key in user_keys:
            _close_live_sockets(key)
        # One call for all users, because it may read each session in the database.
        end_sessions(user_keys, database_eraser.eraser.policy)

    transaction.on_commit(end_logins, using=alias, robust=True)
    return pending_run


def _finalize(receipt: Receipt, alias: str) -> Receipt:
    database_eraser = require_eraser(require_users(alias))
    with transaction.atomic(using=alias):
        with sqlalchemy_connection(alias) as bind:
            finalized = database_eraser.eraser.finalize(bind, receipt)
        defer_constraints(alias)
        if finalized.finalized_at != receipt.finalized_at:
            _announce(database_eraser, finalized, alias)
    return finalized


def _announce(database_eraser: DatabaseEraser, finalized: Receipt, alias: str) -> None:
    """Send `account_finalized` after the commit."""

    def follow() -> None:
        account_finalized.send_robust(database_eraser.model, receipt=finalized, using=alias)

    transaction.on_commit(follow, using=alias)


def verify(user: Any, identifiers: Iterable[str], *, using: str | None = None) -> Search:
    """Search each text and JSON column for *identifiers* of *user*, without changing anything.

    Args:
        user: An instance of the model with `data_subject`, or its primary key.
        identifiers: The values to search for, such as an email address and a name.
        using: The database, if not the one to which the routers write the user.

    Returns:
        The findings by table and column, without the values.

    Raises:
        EffaceError: as `Eraser.verify`.
    """
    user = unwrap(user)
    alias = find_alias(user, using)
    database_eraser = require_eraser(require_users(alias))
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        return database_eraser.eraser.verify(
            bind, read_primary_key(database_eraser, user), identifiers
        )


def receipts(since: datetime | None = None, *, using: str | None = None) -> list[Receipt]:
    """Return the recorded receipts, oldest first, without changing anything.

    Args:
        since: Leave out accounts closed before this aware datetime.
        using: The database, if not the one to which the routers write users.
    """
    alias = using or find_user_database()
    # One query that only reads needs no transaction around it.
    with get_engine(alias).connect() as bind:
        return [Receipt.from_json(text) for text in recorded_receipts(bind, since)]


def prepare_commit(
    database_eraser: DatabaseEraser,
    key: Any,
    receipt: Receipt,
    alias: str,
    *,
    finalize: bool,
) -> list[Receipt]:
    """Schedule the follow-ups; an account that was closed before has none.

    Returns:
        *receipt*, to which the last follow-up adds the finalized one.
    """
    defer_constraints(alias)
    receipts = [receipt]
    if receipt.already_closed:
        return receipts
    signal_arguments = {"subject": key, "receipt": receipt, "using": alias}
    follow_ups: list[Callable[[], object]] = [
        lambda: account_closed.send_robust(database_eraser.model, **signal_arguments),
        lambda: _close_live_sockets(key),
        lambda: end_sessions([key], database_eraser.eraser.policy),
        lambda: account_erased.send_robust(database_eraser.model, **signal_arguments),
    ]
    if finalize:
        follow_ups.append(lambda: receipts.append(_finalize(receipt, alias)))
    for follow_up in follow_ups:
        # Robust, because the account is closed already: an error in one follow-up must not
        # prevent the next one.
        transaction.on_commit(follow_up, using=alias, robust=True)
    return receipts


def _close_live_sockets(key: Any) -> None:
    live = settings.page_settings().live
    if live is not None:
        live.end_soon(key)


def _adapt_blockers(
    blockers: Callable[[Any], Iterable[Any]] | None, database_eraser: DatabaseEraser, alias: str
) -> Callable[[Any, Any], Iterable[Any]] | None:
    """Return *blockers* as the engine calls it, with a primary key inside the transaction."""
    if blockers is None:
        return None

    def ask(_: Any, key: Any) -> Iterable[Any]:
        return blockers(find_locked(database_eraser.model, alias, key))

    return ask


def unwrap(user: Any) -> Any:
    """Return the user behind ``request.user``, which is a lazy object."""
    if isinstance(user, LazyObject) and isinstance(user, Model):
        return user._wrapped
    return user


def find_alias(user: Any, using: str | None) -> str:
    """Return the alias of the database in which to close the account of *user*."""
    if using is not None:
        return using
    reads = any(hasattr(each, "db_for_read") for each in router.routers)
    writes = any(hasattr(each, "db_for_write") for each in router.routers)
    # If routers decide only where to read, the instance may come from a replica.
    if isinstance(user, Model) and (writes or not reads):
        using = router.db_for_write(type(user), instance=user)
    return using or find_user_database()


def defer_constraints(alias: str) -> None:
    """Let constraints wait for the commit again, which is Django's default.

    The engine checks all constraints immediately, so it can report which one fails. Constraints
    that a model declares as IMMEDIATE stay immediate.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            if names := ", ".join(
                map(connection.ops.quote_name, _find_immediate_constraints(alias))
            ):
                cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")


@cache
def _find_immediate_constraints(alias: str) -> tuple[str, ...]:
    """Return the names of deferrable constraints that a model declares as IMMEDIATE."""
    return tuple(
        constraint.name
        for model in models_in(alias)
        for constraint in model._meta.constraints
        if getattr(constraint, "deferrable", None) is Deferrable.IMMEDIATE
    )
