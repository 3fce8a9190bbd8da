"""The conductor: joins the caller's transaction, runs the stages, hands out receipts.

An eraser owns no connection, never commits, and keeps nothing between calls but compiled
statements.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.engine import Dialect

from efface import execute
from efface.errors import (
    EffaceError,
    ForeignPlanError,
    MissingTablesError,
    MissingTombstoneError,
    Problem,
    StalePlanError,
    StatementError,
    SubjectKeyError,
    TombstoneWithoutClosingError,
    raise_problems,
)
from efface.evidence.receipt import Receipt
from efface.evidence.residue import Residue
from efface.graph import build
from efface.plan.driver import Driver
from efface.plan.planner import Captured, capture, make_plan
from efface.plan.program import Program
from efface.plan.steps import Plan, Step
from efface.policy.check import check
from efface.policy.rules import Policy
from efface.store.closings import Closings
from efface.store.fingerprint import Fingerprints
from efface.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ACTOR_LENGTH = 200


def utc_now() -> datetime:
    """Return the time now, aware."""
    return datetime.now(UTC)


def new_reference() -> str:
    """Return a random name for a receipt: 32 hexadecimal digits."""
    return secrets.token_hex(16)


class _Machine:
    """The stages of one policy, compiled for one driver."""

    def __init__(self, policy: Policy, dialect: Dialect) -> None:
        problems = check(policy)
        raise_problems(problems)
        graph, problems = build(policy)
        raise_problems(problems)
        self.program = Program(graph, dialect)
        self.closings = Closings(dialect)
        self.residue = Residue(self.program, tuple(metadata.tables.values()))


class Eraser:
    """Close accounts by a policy, inside the transaction of whoever calls."""

    def __init__(
        self,
        policy: Policy,
        *,
        key: bytes | str,
        clock: Callable[[], datetime] = utc_now,
        reference: Callable[[], str] = new_reference,
    ) -> None:
        """Make an eraser for *policy*.

        Nothing is checked yet: an undecided column stops the first call, not the import.

        Args:
            policy: What happens to every column.
            key: The secret behind fingerprints, at least 16 bytes.
            clock: Where the time comes from; aware datetimes.
            reference: Where the names of receipts come from: unique, at most 32 characters.

        Raises:
            WeakKeyError: *key* is too short.
        """
        self.policy = policy
        self._fingerprints = Fingerprints(key)
        self._clock = clock
        self._reference = reference
        self._machines: dict[tuple[type, str, int], _Machine] = {}
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

    def plan(self, bind: Session | Connection, subject: Any) -> Plan:
        """Return what closing the account would do now; reads only.

        Raises:
            UnknownSubjectError: no row has this key.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        key = self._key_of(subject)
        with self._joined(bind) as (driver, machine):
            return make_plan(
                driver, machine.program, key, self._fingerprint(key), self._now().date()
            )

    def close_account(
        self, bind: Session | Connection, subject: Any, *, actor: str, plan: Plan | None = None
    ) -> Receipt:
        """Close the account and return the receipt; the caller commits.

        Closing a closed account changes nothing and answers the first receipt, with
        ``already_closed`` set. After the commit, `settle` does the second pass and the search.

        Args:
            bind: The Session or Connection whose transaction is used.
            subject: The primary key of the person's row; a tuple where it has several columns.
            actor: Who asked, such as ``"self-service"`` or ``"ticket 8114"``; never a name.
            plan: A plan that somebody has read: refused when the database has moved on since.

        Raises:
            UnknownSubjectError: no row has this key.
            TombstoneWithoutClosingError: the row was marked by hand; see `adopt`.
            StalePlanError: *plan* no longer fits.
            StatementError: the database refused; the transaction has been rolled back.
            PolicyError: the policy cannot be carried out, or a column is undecided.
        """
        return self._close(bind, subject, actor, plan=plan, adopting=False)

    def adopt(self, bind: Session | Connection, subject: Any, *, actor: str) -> Receipt:
        """Erase an account whose tombstone was set before Efface came, and keep its date.

        Raises:
            UnknownSubjectError: no row has this key.
            StatementError: the database refused; the transaction has been rolled back.
        """
        return self._close(bind, subject, actor, plan=None, adopting=True)

    def settle(self, bind: Session | Connection, receipt: Receipt) -> Receipt:
        """Do the second pass and search the database, after the closing was committed.

        A writer that waited on the closing's lock may have written for the person since. The
        search needs identifiers that only the process which closed the account remembers: for a
        receipt from elsewhere the pass is done and ``search`` stays None.

        Raises:
            StatementError: the database refused; the transaction has been rolled back.
        """
        with self._joined(bind) as (driver, machine):
            stored = machine.closings.receipt(driver, receipt.reference)
            latest = Receipt.from_json(stored) if stored else receipt
            if latest.settled_at and (latest.search or receipt.person is None):
                return latest
            person, is_there = self._settling(driver, machine.program, receipt)
            again: tuple[Step, ...] = ()
            if person is not None and is_there:
                outcome = execute.again(driver, machine.program, person, receipt.closed_at.date())
                again = outcome.steps
            remembered = receipt.person
            settled = replace(
                latest,
                steps=_with_reached(latest.steps, again),
                late=latest.late + sum(step.rows for step in again),
                settled_at=self._now(),
                search=machine.residue.search(driver, remembered) if remembered else None,
            )
            now = settled.settled_at or self._now()
            machine.closings.settle(driver, settled.reference, settled.to_json(), now)
        _expire(bind, again)
        return settled

    def _close(
        self, bind: Any, subject: Any, actor: str, *, plan: Plan | None, adopting: bool
    ) -> Receipt:
        if not 0 < len(actor) <= ACTOR_LENGTH:
            raise ValueError(f"actor is 1 to {ACTOR_LENGTH} characters long")
        key = self._key_of(subject)
        fingerprint = self._fingerprint(key)
        with self._joined(bind) as (driver, machine):
            program = machine.program
            person = execute.lock(driver, program, key)
            if person.closed_at is not None:
                first = machine.closings.receipt_of(driver, fingerprint, person.closed_at)
                if first is not None:
                    return replace(Receipt.from_json(first), already_closed=True)
                if not adopting:
                    raise TombstoneWithoutClosingError(
                        program.table.fullname, program.tombstone or ""
                    )
            fresh: tuple[Step, ...] = ()
            now = person.closed_at or self._now()
            if plan is not None:
                fresh = self._still_fits(driver, program, key, plan, now)
            outcome = execute.close(driver, program, person, now)
            receipt = Receipt(
                reference=self._reference(),
                table=program.table.fullname,
                subject=fingerprint,
                policy=program.digest,
                actor=actor,
                closed_at=now,
                steps=_with_reached(outcome.steps, fresh),
            )
            machine.closings.add(driver, {**_fields(receipt), "receipt": receipt.to_json()})
        _expire(bind, outcome.steps)
        return receipt.remembering(replace(person, closed_at=now))

    def _still_fits(
        self, driver: Driver, program: Program, key: tuple[Any, ...], plan: Plan, now: datetime
    ) -> tuple[Step, ...]:
        fingerprint = self._fingerprint(key)
        if plan.fingerprint != fingerprint or plan.policy != program.digest:
            raise ForeignPlanError
        fresh = make_plan(driver, program, key, fingerprint, now.date())
        for planned, found in zip(plan.steps, fresh.steps, strict=True):
            if planned.rows != found.rows:
                raise StalePlanError(found.table, planned.rows, found.rows)
            if planned != found:
                raise StalePlanError(found.table, planned.reached or 0, found.reached or 0)
        return fresh.steps

    def _settling(
        self, driver: Driver, program: Program, receipt: Receipt
    ) -> tuple[Captured | None, bool]:
        """Return the person of *receipt* and whether the row with that key is still theirs.

        Databases give keys out again: the steps must never run on whoever has the key now.
        """
        person = receipt.person
        if person is not None:
            key = tuple(person.values[f"subject_{name}"] for name in program.key_names)
        else:
            found = self._key_by_fingerprint(driver, program, receipt)
            if found is None:
                return None, False
            key = found
        names = [f"subject_{name}" for name in program.key_names]
        rows = driver.rows(program.lock, dict(zip(names, key, strict=True)))
        if program.tombstone is None or program.policy.removes_subject:
            return person, not rows
        if not rows:
            return person, False
        now = capture(driver, program, rows[0], with_needles=False)
        return person or now, now.closed_at == receipt.closed_at

    def _key_by_fingerprint(
        self, driver: Driver, program: Program, receipt: Receipt
    ) -> tuple[Any, ...] | None:
        if program.tombstone is None:
            return None
        for key in driver.rows(program.closed_at, {"now": receipt.closed_at}):
            if self._fingerprint(tuple(key)) == receipt.subject:
                return tuple(key)
        return None

    @contextmanager
    def _joined(self, bind: Any) -> Iterator[tuple[Driver, _Machine]]:
        """Join the transaction of *bind*; leave it as it was, or rolled back, never half done."""
        if hasattr(bind, "run_sync"):
            raise TypeError(
                "An AsyncSession is joined by: await session.run_sync(eraser.close_account, "
                'subject, actor="...")'
            )
        if isinstance(bind, Connection):
            connection = bind
        else:
            # What the session still holds back must be in the database before rows are counted.
            bind.flush()
            connection = bind.connection(bind_arguments={"clause": self.policy.subject_table})
        machine = self._machine(connection)
        driver = Driver(connection)
        try:
            yield driver, machine
        except BaseException as error:
            if isinstance(error, StatementError) or not isinstance(error, EffaceError):
                # A caller who swallows the error must not be able to commit half a closing.
                with suppress(Exception):
                    (bind.get_nested_transaction() or bind.get_transaction()).rollback()
            raise
        finally:
            with suppress(Exception):
                driver.close()

    def _machine(self, connection: Connection) -> _Machine:
        dialect = connection.dialect
        # A table that joined the metadata later is undecided: count them each time.
        number = len(self.policy.metadata.tables)
        key = (type(dialect), dialect.paramstyle, number)
        machine = self._machines.get(key)
        if machine is None:
            machine = self._machines[key] = _Machine(self.policy, dialect)
        if connection.engine not in self._ready:
            self._check_database(connection, machine.program)
            self._ready.add(connection.engine)
        return machine

    def _check_database(self, connection: Connection, program: Program) -> None:
        inspector = inspect(connection)
        missing = [name for name in metadata.tables if not inspector.has_table(name)]
        if missing:
            raise MissingTablesError(missing)
        table, tombstone = program.table, program.tombstone
        if tombstone is None or not inspector.has_table(table.name, schema=table.schema):
            return
        columns = {c["name"] for c in inspector.get_columns(table.name, schema=table.schema)}
        if tombstone not in columns:
            text = f"The database has no column {tombstone} yet; the model has. In a migration:"
            paste = f'op.add_tombstone("{table.name}")    # after: import efface.alembic'
            raise MissingTombstoneError([Problem("E105", table.fullname, tombstone, text, paste)])

    def _key_of(self, subject: Any) -> tuple[Any, ...]:
        table = self.policy.subject_table
        key = subject if isinstance(subject, tuple) else (subject,)
        columns = list(table.primary_key.columns)
        expected = ", ".join(_python_type(column.type) for column in columns)
        fits = len(key) == len(columns) and all(
            _python_type(column.type) in ("object", *(c.__name__ for c in type(part).__mro__))
            for column, part in zip(columns, key, strict=True)
        )
        if not fits or any(isinstance(part, bool) for part in key):
            got = ", ".join(type(part).__name__ for part in key)
            raise SubjectKeyError(table.fullname, expected, got)
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


def _fields(receipt: Receipt) -> dict[str, Any]:
    names = ("reference", "subject", "closed_at", "actor", "policy")
    return {name: getattr(receipt, name) for name in names}


def _with_reached(steps: tuple[Step, ...], counted: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return *steps* with the numbers of reached rows that *counted* knows."""
    known = {(step.table, step.action): step.reached for step in counted}
    return tuple(
        replace(step, reached=known.get((step.table, step.action)))
        if step.reached is None
        else step
        for step in steps
    )


def _expire(bind: Any, steps: tuple[Step, ...]) -> None:
    """Expire the session's objects of the tables that changed, and no others."""
    if isinstance(bind, Connection):
        return
    touched = {step.table for step in steps if step.changes_rows}
    for loaded in list(bind.identity_map.values()):
        tables = {getattr(table, "fullname", "") for table in inspect(loaded).mapper.tables}
        if tables & touched:
            bind.expire(loaded)
