"""Accounts closed on Django's own connection, and what follows when that is committed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.db import connections, router, transaction
from django.db.models import Deferrable, Model
from django.utils import timezone
from django.utils.functional import LazyObject

from efface.django import settings
from efface.django.advice import advise
from efface.django.bridge import joined
from efface.django.held import forget
from efface.django.ready import Ready, home, key_of, sound, there, with_people
from efface.django.schema import models_in
from efface.django.sessions import end_sessions
from efface.django.signals import account_closed, account_erased
from efface.eraser import Eraser
from efface.eraser.due import Settlement, in_turn
from efface.evidence.receipt import Receipt
from efface.evidence.residue import Search
from efface.plan.steps import Plan


def eraser(using: str | None = None) -> Eraser:
    """Return the eraser for the database *using*, or for the one that has the people.

    Its methods take ``joined(alias)`` as their bind.
    """
    return there(using or home()).eraser


def plan(user: Any, *, using: str | None = None) -> Plan:
    """Return what closing the account of *user* would do now; reads only.

    Args:
        user: An object of the model with `data_subject`, or its primary key.
        using: The database, where it is not the one that routers write the user to.
    """
    user = _loaded(user)
    alias = _alias(user, using)
    here = sound(with_people(alias))
    with transaction.atomic(using=alias), joined(alias) as bind:
        return here.eraser.plan(bind, key_of(here, user))


def close_account(
    user: Any,
    *,
    actor: str,
    using: str | None = None,
    plan: Plan | None = None,
    veto: Callable[[Any], Iterable[Any]] | None = None,
    watch: Callable[[int, int], None] | None = None,
    settle: bool = True,
) -> Receipt:
    """Close the account of *user* in Django's transaction, and return the receipt.

    Without a transaction it opens one; inside of one it is committed with everything else there,
    and undone with it. When that is committed, `account_closed` is sent, then the second pass and
    the search run in a transaction of their own, and `account_erased` is sent.

    The object forgets what it had loaded, so that saving it cannot write back what has gone.

    Args:
        user: An object of the model with `data_subject`, or its primary key.
        actor: Who asked, such as ``"self-service"`` or ``"ticket 8114"``; never a name.
        using: The database, where it is not the one that routers write the user to.
        plan: A plan that somebody has read: refused when the database has moved on since.
        veto: Takes the user, as read under the lock, and returns reasons against the closing, or
            none. What it reads has to stay true until the commit: ``select_for_update()``.
        watch: Told how many of how many steps are done, while nothing is committed.
        settle: Whether the second pass and the search follow the commit. If not, call `settle`.

    Raises:
        WrongDatabaseError: the people are not in this database.
        AutocommitOffError: Django would not commit the closing.
        EffaceError: as `Eraser.close_account`; nothing was changed.
    """
    user = _loaded(user)
    alias = _alias(user, using)
    here = sound(with_people(alias))
    key = key_of(here, user)
    with transaction.atomic(using=alias):
        with joined(alias) as bind:
            receipt = here.eraser.close_account(
                bind, key, actor=actor, plan=plan, veto=_asking(veto, here, alias), watch=watch
            )
        latest = [receipt]
        _constraints_wait_again(alias)
        forget(user)
        if not receipt.already_closed:
            for follow in _what_follows(here, key, latest, alias, settle=settle):
                # Robust: the account is closed, and no part keeps the next from being done.
                transaction.on_commit(follow, using=alias, robust=True)
    return latest[-1]


def settle(receipt: Receipt, *, using: str | None = None) -> Receipt:
    """Do the second pass and search the database, after the closing was committed.

    Raises:
        EffaceError: as `Eraser.settle`.
    """
    return _settled(receipt, using or home())


def erase_due(*, limit: int = 100, using: str | None = None) -> Settlement:
    """Settle what a crash or a failed second pass has left, oldest first.

    Each closing has a transaction of its own, where none is open; then `account_erased` is sent.
    What the lost process did not come to is done in the end, but for the signal `account_closed`:
    live sockets and sessions of these people are ended, if there are any left.
    Several workers may call this at once. One that fails keeps no other from being settled, and is
    due again the next time.

    Args:
        limit: The most closings that are settled.
        using: The database, where it is not the one that routers write users to.

    Raises:
        EffaceError: as `Eraser.erase_due`.
    """
    alias = using or home()
    here = sound(with_people(alias))

    def once(failed: Collection[str]) -> Settlement:
        with transaction.atomic(using=alias):
            with joined(alias) as bind:
                done = here.eraser.erase_due(bind, limit=1, leaving_out=failed)
            for failure in done.failures:
                advise(failure.error, alias)
            _constraints_wait_again(alias)
            for receipt in done.receipts:
                _announce(here, receipt, alias)
        return done

    *_, settlement = in_turn(once, limit)
    people = [key_of(here, key if len(key) > 1 else key[0]) for key in settlement.keys if key]

    def end() -> None:
        for key in people:
            _end_live_sockets(key)
        # For all at once: it may read every session that there is.
        end_sessions(people, here.eraser.policy)

    transaction.on_commit(end, using=alias, robust=True)
    return settlement


def _settled(receipt: Receipt, alias: str) -> Receipt:
    here = sound(with_people(alias))
    with transaction.atomic(using=alias):
        with joined(alias) as bind:
            settled = here.eraser.settle(bind, receipt)
        _constraints_wait_again(alias)
        if settled.settled_at != receipt.settled_at:
            _announce(here, settled, alias)
    return settled


def _announce(here: Ready, settled: Receipt, alias: str) -> None:
    def follow() -> None:
        account_erased.send_robust(here.model, receipt=settled, using=alias)

    transaction.on_commit(follow, using=alias)


def verify(user: Any, identifiers: Iterable[str], *, using: str | None = None) -> Search:
    """Search every text and JSON column for *identifiers* of *user*; reads only."""
    user = _loaded(user)
    alias = _alias(user, using)
    here = sound(with_people(alias))
    with transaction.atomic(using=alias), joined(alias) as bind:
        return here.eraser.verify(bind, key_of(here, user), identifiers)


def receipts(since: datetime | None = None, *, using: str | None = None) -> list[Receipt]:
    """Return the recorded receipts, oldest first."""
    from efface.django.models import Closing  # noqa: PLC0415  # needs the models loaded

    found = Closing.objects.using(using or home()).order_by("closed_at", "id")
    if since is not None:
        if not django_settings.USE_TZ:
            since = timezone.make_naive(since, timezone.get_default_timezone())
        found = found.filter(closed_at__gte=since)
    return [Receipt.from_json(text) for text in found.values_list("receipt", flat=True)]


def _what_follows(
    here: Ready, key: Any, latest: list[Receipt], alias: str, *, settle: bool
) -> Iterator[Callable[[], object]]:
    """Yield what is done after the commit; the settled receipt is added to *latest*."""
    yield lambda: account_closed.send_robust(
        here.model, subject=key, receipt=latest[0], using=alias
    )
    yield lambda: _end_live_sockets(key)
    yield lambda: end_sessions([key], here.eraser.policy)
    if settle:
        yield lambda: latest.append(_settled(latest[0], alias))


def _end_live_sockets(key: Any) -> None:
    live = settings.page().live
    if live is not None:
        live.end_soon(key)


def _asking(
    veto: Callable[[Any], Iterable[Any]] | None, here: Ready, alias: str
) -> Callable[[Any, Any], tuple[Any, ...]] | None:
    """Return *veto* as the engine asks it: of a key, in the transaction of the closing."""
    if veto is None:
        return None

    def ask(_: Any, key: Any) -> tuple[Any, ...]:
        return tuple(veto(here.model._base_manager.using(alias).get(pk=key)))

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
    return using or home()


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
