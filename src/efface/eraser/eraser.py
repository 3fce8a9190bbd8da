"""The conductor: joins the caller's transaction, runs the stages, hands out receipts.

An eraser owns no connection, never commits, and keeps nothing between calls but compiled
statements.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, overload

from sqlalchemy import Connection, Engine

from efface.eraser.callers_transaction import Bind, expire, join
from efface.eraser.close_account import Request, close_many, close_one, find_receipt
from efface.eraser.compiled_policy import CompiledPolicy
from efface.eraser.finalize import finalize_batch, finalize_one
from efface.eraser.pending_closings import MIN_AGE, PendingRun, run_pending_closings
from efface.errors import Problem, SubjectKeyError
from efface.evidence.database_search import Search
from efface.evidence.receipt import BatchReceipt, Receipt
from efface.execute.closing_order import OnProgress
from efface.graph.graph import build
from efface.plan.cursor import Cursor
from efface.plan.mentions import SearchTerms
from efface.plan.plan import Plan, Step
from efface.plan.planner import key_values, make_plan, preview
from efface.plan.table_statements import RandomSource
from efface.policy.check import check
from efface.policy.policy import Policy
from efface.store.closing_records import recorded_receipts
from efface.store.efface_tables import metadata
from efface.store.fingerprints import Fingerprints

ACTOR_LENGTH = 200
BATCH = 1000
"""The most people that are closed in one transaction: more would hold locks for too long."""


Blockers = Callable[[Any, Any], Iterable[Any]]
"""Takes the bind and the primary key, and returns reasons not to close the account now."""


def utc_now() -> datetime:
    """Return the time now, aware."""
    return datetime.now(UTC)


def new_reference() -> str:
    """Return a random name for a receipt: 32 hexadecimal digits."""
    return secrets.token_hex(16)


class Eraser:
    """Close accounts by a policy, inside the transaction of whoever calls."""

    def __init__(
        self,
        policy: Policy,
        *,
        secret: bytes | str,
        clock: Callable[[], datetime] = utc_now,
        reference: Callable[[], str] = new_reference,
        random_source: RandomSource = None,
    ) -> None:
        """Make an eraser for *policy*.

        Nothing is checked yet: an undecided column stops the first call, not the import.

        Args:
            policy: What happens to every column.
            secret: Makes the fingerprints that only you can recompute; at least 16 bytes.
            clock: Where the time comes from; aware datetimes.
            reference: Where the names of receipts come from: unique, at most 32 characters.
            random_source: Returns 32 random hexadecimal digits for a placeholder at each call; by
                default the database makes them.

        Raises:
            WeakSecretError: *secret* is too short.
        """
        self.policy = policy
        self._fingerprints = Fingerprints(secret)
        self._clock = clock
        self._reference = reference
        self._random_source = random_source
        self._compiled: dict[tuple[type, str, int], CompiledPolicy] = {}

    def check(self) -> tuple[Problem, ...]:
        """Return everything that keeps the policy from being carried out, links included."""
        problems = check(self.policy)
        if any(problem.code == "E102" for problem in problems):
            return problems
        return (*problems, *build(self.policy)[1])

    def create_tables(self, bind: Engine | Connection) -> None:
        """Create the tables that Efface owns where they are missing."""
        metadata.create_all(bind)

    def plan(self, bind: Bind, pk: Any) -> Plan:
        """Return what closing the account would do now; reads only.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(pk)
        with self._at_work(bind) as (cursor, compiled):
            return make_plan(
                cursor, compiled.single, key, self._fingerprint(key), self._now().date()
            )

    def preview(self, bind: Bind, pk: Any) -> tuple[Step, ...]:
        """Return the steps of a closing with the rows they reach; reads only, and no texts.

        It costs a fraction of `plan`, and is what a page shows the person. ``rows`` are the most
        that may change: which posts name somebody is known when they have been read.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(pk)
        with self._at_work(bind) as (cursor, compiled):
            return preview(cursor, compiled.single, key, self._now().date())

    def get_receipt(self, bind: Bind, reference: str) -> Receipt | None:
        """Return the receipt with this *reference* as it is recorded, or None; reads only."""
        with self._at_work(bind) as (cursor, compiled):
            found = compiled.closings.receipt(cursor, reference)
        return Receipt.from_json(found) if found is not None else None

    def find_receipt(self, bind: Bind, pk: Any) -> Receipt | None:
        """Return the receipt of whoever was closed, or None without a closing of ours; reads only.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(pk)
        with self._at_work(bind) as (cursor, compiled):
            return find_receipt(cursor, compiled, key, self._fingerprint(key))

    def receipts(self, bind: Bind, since: datetime | None = None) -> list[Receipt]:
        """Return the recorded receipts, oldest first; reads only.

        Args:
            bind: The Session or Connection to read with.
            since: Leaves out accounts closed before this moment; aware.
        """
        with join(bind, self.policy.subject_table) as cursor:
            found = recorded_receipts(cursor.connection, since)
        return [Receipt.from_json(text) for text in found]

    def statements(self, bind: Bind) -> list[str]:
        """Return the SQL that a closing runs on this database, in order, without values."""
        with self._at_work(bind) as (_, compiled):
            return [statement.sql for statement in compiled.in_order()]

    def close_account(
        self,
        bind: Bind,
        pk: Any,
        *,
        actor: str,
        plan: Plan | None = None,
        blockers: Blockers | None = None,
        on_progress: OnProgress | None = None,
    ) -> Receipt:
        """Close the account and return the receipt; the caller commits.

        Closing a closed account changes nothing and returns the first receipt, with
        ``already_closed`` set. Call `finalize` after the commit.

        Args:
            bind: The Session or Connection whose transaction is used.
            pk: The primary key of the person's row; a tuple where it has several columns.
            actor: Who asked, such as ``"self-service"`` or ``"ticket 8114"``; never a name.
            plan: A plan that somebody has read: refused when the database has moved on since.
            blockers: Takes *bind* and *pk*, and returns reasons not to close the account now, or
                none. Efface calls it once the row is locked. What it reads must stay true until
                the commit: lock it (``FOR UPDATE``), always in the same order.
            on_progress: Takes how many tables are done, and of how many, after each table. It runs
                inside the transaction: it must be quick, and not use *bind*.

        Raises:
            UnknownSubjectError: no row has this key.
            UnrecordedClosingError: the row was marked by hand; see `adopt`.
            ActorIdentifiesUserError: *actor* holds an address of the person's; nothing was changed.
            BlockedError: *blockers* gave reasons, which the error carries; nothing was changed.
            StalePlanError: *plan* no longer fits.
            StatementError: the database refused; the transaction has been rolled back.
            PolicyError: the policy is incomplete or impossible.
        """
        key, request = self._key_of(pk), self._request(actor)
        with self._at_work(bind) as (cursor, compiled):
            asked = partial(blockers, bind, pk) if blockers is not None else tuple
            receipt = close_one(
                cursor, compiled, key, request, plan=plan, blockers=asked, on_progress=on_progress
            )
        if not receipt.already_closed:
            expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    def close_accounts(self, bind: Bind, pks: Iterable[Any], *, actor: str) -> BatchReceipt:
        """Close up to 1,000 accounts with the statements of one; the caller commits.

        Either all are closed or none. Accounts that were closed before answer their first
        receipts.

        Raises:
            UnknownSubjectError: some row does not exist; nothing was changed.
            ActorIdentifiesUserError: *actor* holds an address of one of them; nothing was changed.
            ValueError: there are more than 1,000, or keys of several columns.
            StatementError: the database refused; the transaction has been rolled back.
        """
        keys = list(dict.fromkeys(self._key_of(pk) for pk in pks))
        if len(keys) > BATCH or len(self.policy.subject_table.primary_key.columns) > 1:
            raise ValueError(f"A batch has at most {BATCH} people, each with a key of one column.")
        request = self._request(actor)
        with self._at_work(bind) as (cursor, compiled):
            batch = close_many(cursor, compiled, keys, request)
        expire(bind, (step.table for step in batch.steps if step.changes_rows))
        return batch

    def adopt(self, bind: Bind, pk: Any, *, actor: str) -> Receipt:
        """Erase an account whose tombstone was set before Efface came, and keep its date.

        Raises:
            UnknownSubjectError: no row has this key.
            StatementError: the database refused; the transaction has been rolled back.
        """
        key, request = self._key_of(pk), self._request(actor)
        with self._at_work(bind) as (cursor, compiled):
            receipt = close_one(cursor, compiled, key, request, adopting=True)
        expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    @overload
    def finalize(self, bind: Bind, receipt: Receipt) -> Receipt: ...

    @overload
    def finalize(self, bind: Bind, receipt: BatchReceipt) -> BatchReceipt: ...

    def finalize(self, bind: Bind, receipt: Receipt | BatchReceipt) -> Receipt | BatchReceipt:
        """Do the second pass and search the database, after the closing was committed.

        A writer that waited on the closing's lock may have written for the person since. The
        search needs identifiers that only the process which closed the account remembers: for a
        receipt from elsewhere the pass is done and ``search`` stays None. Without them a late row
        that a link by value leads to is not found either; and nowhere is a late row found through
        a row that the closing has unlinked. `verify` finds both by what they say.

        Raises:
            ForeignClosingError: the receipt is of other people than those of the policy.
            UnrecognizedClosingError: the eraser's key is not the one that the account was closed
                with; nothing was changed.
            StatementError: the database refused; the transaction has been rolled back.
        """
        request = self._request(receipt.actor)
        finalized: Receipt | BatchReceipt
        with self._at_work(bind) as (cursor, compiled):
            if isinstance(receipt, BatchReceipt):
                finalized, steps = finalize_batch(cursor, compiled, receipt, request)
            else:
                done = finalize_one(cursor, compiled, receipt, request)
                finalized, steps = done.receipt, done.steps
        expire(bind, (step.table for step in steps if step.changes_rows))
        return finalized

    def run_pending(
        self,
        bind: Bind,
        *,
        limit: int = 100,
        min_age: timedelta = MIN_AGE,
        exclude: Collection[str] = (),
    ) -> PendingRun:
        """Settle what a crash or a failed second pass has left, oldest first; the caller commits.

        Each is settled as `finalize` does with a receipt from elsewhere: the pass is done, by the
        policy as it is now, and ``search`` stays None. Several workers may call this at once: what
        one is at, the others pass over. One that fails is undone by itself, does not count, and is
        due again the next time.

        Args:
            bind: The Session or Connection whose transaction is used.
            limit: The most closings that are settled in this transaction.
            min_age: How long a closing is left to whoever made it.
            exclude: References that are passed over, as of those that failed a moment ago.

        Raises:
            ConnectionLostError: the database is gone.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        request = self._request("run_pending")
        with self._at_work(bind) as (cursor, compiled):
            pending_run, steps = run_pending_closings(
                cursor,
                compiled,
                request,
                before=request.now - min_age,
                limit=limit,
                exclude=exclude,
            )
        expire(bind, (step.table for step in steps if step.changes_rows))
        return pending_run

    def verify(self, bind: Bind, pk: Any, identifiers: Iterable[str]) -> Search:
        """Search every text and JSON column for *identifiers* of a subject; reads only.

        Args:
            bind: The Session or Connection to read with.
            pk: The primary key of the person's row: rows under `Retain` are told apart by it.
            identifiers: What the person was known by; nothing of it is kept or shown.
        """
        key = self._key_of(pk)
        with self._at_work(bind) as (cursor, compiled):
            statements = compiled.single
            values = dict.fromkeys(f"subject_{name}" for name in statements.read_columns)
            values |= dict.fromkeys(f"match_{name}" for name in statements.read_columns)
            values |= key_values(statements, key)
            return compiled.search.search(cursor, values, SearchTerms(identifiers))

    def _request(self, actor: Any) -> Request:
        if not (isinstance(actor, str) and 0 < len(actor) <= ACTOR_LENGTH):
            raise ValueError(f"actor is 1 to {ACTOR_LENGTH} characters long")
        return Request(actor, self._now(), self._fingerprint, self._reference)

    @contextmanager
    def _at_work(self, bind: Bind) -> Iterator[tuple[Cursor, CompiledPolicy]]:
        with join(bind, self.policy.subject_table) as cursor:
            yield cursor, self._compiled_for(cursor.connection)

    def _compiled_for(self, connection: Connection) -> CompiledPolicy:
        dialect = connection.dialect
        # A table that joined the metadata later is undecided: count them each time.
        key = (type(dialect), dialect.paramstyle, len(self.policy.metadata.tables))
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = CompiledPolicy(
                self.policy, dialect, self._random_source
            )
        compiled.databases.require_tables(connection)
        return compiled

    @cached_property
    def _key_types(self) -> tuple[str, ...]:
        columns = self.policy.subject_table.primary_key.columns
        return tuple(_python_type(column.type) for column in columns)

    def _key_of(self, pk: Any) -> tuple[Any, ...]:
        key = pk if isinstance(pk, tuple) else (pk,)
        expected = self._key_types
        fits = len(key) == len(expected) and all(
            each in ("object", *[c.__name__ for c in type(part).__mro__])
            for each, part in zip(expected, key, strict=True)
        )
        if not fits or any(isinstance(part, bool) for part in key):
            table, got = self.policy.subject_table, [type(part).__name__ for part in key]
            raise SubjectKeyError(table.fullname, ", ".join(expected), ", ".join(got))
        return key

    def _fingerprint(self, key: tuple[Any, ...]) -> str:
        return self._fingerprints.of(self.policy.subject_table.fullname, key)

    def _now(self) -> datetime:
        # To the second: databases keep different fractions, and the tombstone is compared later.
        return self._clock().astimezone(UTC).replace(microsecond=0)


def _python_type(type_: Any) -> str:
    try:
        name: str = type_.python_type.__name__
    except NotImplementedError:
        return "object"
    return name
