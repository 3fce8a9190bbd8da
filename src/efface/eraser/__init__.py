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
from weakref import WeakSet

from sqlalchemy import Connection, Engine

from efface.eraser.closing import Request, close_many, close_one, closing_of
from efface.eraser.due import PATIENCE, Settlement, settle_due
from efface.eraser.joined import Bind, expire, join
from efface.eraser.machine import Machine, check_database
from efface.eraser.settling import settle_batch, settle_one
from efface.errors import Problem, SubjectKeyError
from efface.evidence.receipt import BatchReceipt, Receipt
from efface.evidence.residue import Search
from efface.execute import Watch
from efface.graph import build
from efface.plan.driver import Driver
from efface.plan.mentions import Needles
from efface.plan.planner import key_values, make_plan, reached
from efface.plan.steps import Plan, Step
from efface.policy.actions import Tokens
from efface.policy.check import check
from efface.policy.rules import Policy
from efface.store.fingerprint import Fingerprints
from efface.store.tables import metadata

ACTOR_LENGTH = 200
BATCH = 1000
"""The most people that are closed in one transaction: more would hold locks for too long."""


Veto = Callable[[Any, Any], Iterable[Any]]
"""Takes the bind and the subject's key, and returns reasons against closing the account."""


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
        key: bytes | str,
        clock: Callable[[], datetime] = utc_now,
        reference: Callable[[], str] = new_reference,
        tokens: Tokens = Tokens.database(),  # noqa: B008  # frozen value
    ) -> None:
        """Make an eraser for *policy*.

        Nothing is checked yet: an undecided column stops the first call, not the import.

        Args:
            policy: What happens to every column.
            key: The secret behind fingerprints, at least 16 bytes.
            clock: Where the time comes from; aware datetimes.
            reference: Where the names of receipts come from: unique, at most 32 characters.
            tokens: Where the random part of placeholders comes from.

        Raises:
            WeakKeyError: *key* is too short.
        """
        self.policy = policy
        self._fingerprints = Fingerprints(key)
        self._clock = clock
        self._reference = reference
        self._tokens = tokens
        self._machines: dict[tuple[type, str, int], Machine] = {}
        self._ready: WeakSet[Engine] = WeakSet()

    def check(self) -> tuple[Problem, ...]:
        """Return everything that keeps the policy from being carried out, links included."""
        problems = check(self.policy)
        if any(problem.code == "E102" for problem in problems):
            return problems
        return (*problems, *build(self.policy)[1])

    def create_tables(self, bind: Engine | Connection) -> None:
        """Create the tables that Efface owns where they are missing."""
        metadata.create_all(bind)

    def plan(self, bind: Bind, subject: Any) -> Plan:
        """Return what closing the account would do now; reads only.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(subject)
        with self._at_work(bind) as (driver, machine):
            return make_plan(
                driver, machine.program, key, self._fingerprint(key), self._now().date()
            )

    def reached(self, bind: Bind, subject: Any) -> tuple[Step, ...]:
        """Return the steps of a closing with the rows they reach; reads only, and no texts.

        It costs a fraction of `plan`, and is what a page shows the person. ``rows`` are the most
        that may change: which posts name somebody is known when they have been read.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(subject)
        with self._at_work(bind) as (driver, machine):
            return reached(driver, machine.program, key, self._now().date())

    def receipt(self, bind: Bind, reference: str) -> Receipt | None:
        """Return the receipt with this *reference* as it is recorded, or None; reads only."""
        with self._at_work(bind) as (driver, machine):
            found = machine.closings.receipt(driver, reference)
        return Receipt.from_json(found) if found is not None else None

    def closing_of(self, bind: Bind, subject: Any) -> Receipt | None:
        """Return the receipt of whoever was closed, or None without a closing of ours; reads only.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(subject)
        with self._at_work(bind) as (driver, machine):
            return closing_of(driver, machine, key, self._fingerprint(key))

    def statements(self, bind: Bind) -> list[str]:
        """Return the SQL that a closing runs on this database, in order, without values."""
        with self._at_work(bind) as (_, machine):
            return [statement.sql for statement in machine.statements()]

    def close_account(
        self,
        bind: Bind,
        subject: Any,
        *,
        actor: str,
        plan: Plan | None = None,
        veto: Veto | None = None,
        watch: Watch | None = None,
    ) -> Receipt:
        """Close the account and return the receipt; the caller commits.

        Closing a closed account changes nothing and answers the first receipt, with
        ``already_closed`` set. After the commit, `settle` does the second pass and the search.

        Args:
            bind: The Session or Connection whose transaction is used.
            subject: The primary key of the person's row; a tuple where it has several columns.
            actor: Who asked, such as ``"self-service"`` or ``"ticket 8114"``; never a name.
            plan: A plan that somebody has read: refused when the database has moved on since.
            veto: Takes *bind* and *subject* and returns reasons against the closing, or none. It
                is asked when the row is locked and open, in the transaction that would close it.
                What it reads has to stay true until the commit: lock it (``FOR UPDATE``), in an
                order that is always the same, and read it by a statement after the lock.
            watch: Told after each table how many are done, and of how many; nothing is committed
                by then. It runs inside the closing: it must be quick, and leave *bind* alone.

        Raises:
            UnknownSubjectError: no row has this key.
            TombstoneWithoutClosingError: the row was marked by hand; see `adopt`.
            NamedActorError: *actor* holds an address of the person's; nothing was changed.
            VetoedError: *veto* gave reasons, which the error carries; nothing was changed.
            StalePlanError: *plan* no longer fits.
            StatementError: the database refused; the transaction has been rolled back.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key, request = self._key_of(subject), self._request(actor)
        with self._at_work(bind) as (driver, machine):
            against = partial(veto, bind, subject) if veto is not None else tuple
            receipt = close_one(driver, machine, key, request, plan=plan, veto=against, watch=watch)
        if not receipt.already_closed:
            expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    def close_accounts(self, bind: Bind, subjects: Iterable[Any], *, actor: str) -> BatchReceipt:
        """Close up to 1,000 accounts with the statements of one; the caller commits.

        Either all are closed or none. Accounts that were closed before answer their first
        receipts.

        Raises:
            UnknownSubjectError: some row does not exist; nothing was changed.
            NamedActorError: *actor* holds an address of one of them; nothing was changed.
            ValueError: there are more than 1,000, or keys of several columns.
            StatementError: the database refused; the transaction has been rolled back.
        """
        keys = list(dict.fromkeys(self._key_of(subject) for subject in subjects))
        if len(keys) > BATCH or len(self.policy.subject_table.primary_key.columns) > 1:
            raise ValueError(f"A batch has at most {BATCH} people, each with a key of one column.")
        request = self._request(actor)
        with self._at_work(bind) as (driver, machine):
            batch = close_many(driver, machine, keys, request)
        expire(bind, (step.table for step in batch.steps if step.changes_rows))
        return batch

    def adopt(self, bind: Bind, subject: Any, *, actor: str) -> Receipt:
        """Erase an account whose tombstone was set before Efface came, and keep its date.

        Raises:
            UnknownSubjectError: no row has this key.
            StatementError: the database refused; the transaction has been rolled back.
        """
        key, request = self._key_of(subject), self._request(actor)
        with self._at_work(bind) as (driver, machine):
            receipt = close_one(driver, machine, key, request, adopting=True)
        expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    @overload
    def settle(self, bind: Bind, receipt: Receipt) -> Receipt: ...

    @overload
    def settle(self, bind: Bind, receipt: BatchReceipt) -> BatchReceipt: ...

    def settle(self, bind: Bind, receipt: Receipt | BatchReceipt) -> Receipt | BatchReceipt:
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
        settled: Receipt | BatchReceipt
        with self._at_work(bind) as (driver, machine):
            if isinstance(receipt, BatchReceipt):
                settled, steps = settle_batch(driver, machine, receipt, request)
            else:
                done = settle_one(driver, machine, receipt, request)
                settled, steps = done.receipt, done.steps
        expire(bind, (step.table for step in steps if step.changes_rows))
        return settled

    def erase_due(
        self,
        bind: Bind,
        *,
        limit: int = 100,
        patience: timedelta = PATIENCE,
        leaving_out: Collection[str] = (),
    ) -> Settlement:
        """Settle what a crash or a failed second pass has left, oldest first; the caller commits.

        Each is settled as `settle` does with a receipt from elsewhere: the pass is done, by the
        policy as it is now, and ``search`` stays None. Several workers may call this at once: what
        one is at, the others pass over. One that fails is undone by itself, does not count, and is
        due again the next time.

        Args:
            bind: The Session or Connection whose transaction is used.
            limit: The most closings that are settled in this transaction.
            patience: How long a closing is left to whoever made it.
            leaving_out: References that are passed over, as of those that failed a moment ago.

        Raises:
            ConnectionLostError: the database is gone.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        request = self._request("erase_due")
        with self._at_work(bind) as (driver, machine):
            settlement, steps = settle_due(
                driver,
                machine,
                request,
                before=request.now - patience,
                limit=limit,
                leaving_out=leaving_out,
            )
        expire(bind, (step.table for step in steps if step.changes_rows))
        return settlement

    def verify(self, bind: Bind, subject: Any, identifiers: Iterable[str]) -> Search:
        """Search every text and JSON column for *identifiers* of a subject; reads only.

        Args:
            bind: The Session or Connection to read with.
            subject: The primary key of the person's row: rows under `Retain` are told apart by it.
            identifiers: What the person was known by; nothing of it is kept or shown.
        """
        key = self._key_of(subject)
        with self._at_work(bind) as (driver, machine):
            program = machine.program
            values = dict.fromkeys(f"subject_{name}" for name in program.read_columns)
            values |= dict.fromkeys(f"match_{name}" for name in program.read_columns)
            values |= key_values(program, key)
            return machine.residue.search(driver, values, Needles(identifiers))

    def _request(self, actor: Any) -> Request:
        if not (isinstance(actor, str) and 0 < len(actor) <= ACTOR_LENGTH):
            raise ValueError(f"actor is 1 to {ACTOR_LENGTH} characters long")
        return Request(actor, self._now(), self._fingerprint, self._reference)

    @contextmanager
    def _at_work(self, bind: Bind) -> Iterator[tuple[Driver, Machine]]:
        with join(bind, self.policy.subject_table) as driver:
            yield driver, self._machine(driver.connection)

    def _machine(self, connection: Connection) -> Machine:
        dialect = connection.dialect
        # A table that joined the metadata later is undecided: count them each time.
        key = (type(dialect), dialect.paramstyle, len(self.policy.metadata.tables))
        machine = self._machines.get(key)
        if machine is None:
            machine = self._machines[key] = Machine(self.policy, dialect, self._tokens)
        if connection.engine not in self._ready:
            check_database(connection, machine.program)
            self._ready.add(connection.engine)
        return machine

    @cached_property
    def _key_types(self) -> tuple[str, ...]:
        columns = self.policy.subject_table.primary_key.columns
        return tuple(_python_type(column.type) for column in columns)

    def _key_of(self, subject: Any) -> tuple[Any, ...]:
        key = subject if isinstance(subject, tuple) else (subject,)
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
