"""The conductor: joins the caller's transaction, runs the stages, returns receipts.

An eraser owns no connection and never commits. Between calls it keeps only compiled statements.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, overload

from sqlalchemy import Connection, Engine

from efface.eraser.blockers import BlockerCheck, Blockers
from efface.eraser.call_context import require_recordable
from efface.eraser.callers_transaction import Bind, expire, join
from efface.eraser.close_account import close_many, close_one, find_receipt, is_recorded
from efface.eraser.deletions import record_deletion
from efface.eraser.earlier_accounts import EarlierAccounts
from efface.eraser.finalize import finalize_batch, finalize_one
from efface.eraser.pending_closings import MIN_AGE, PendingRun, run_pending_closings
from efface.errors import BatchError, Problem
from efface.evidence.database_search import Search
from efface.evidence.receipt import BatchReceipt, Receipt
from efface.execute.closing_order import OnProgress
from efface.graph.graph import build
from efface.plan.mentions import SearchTerms
from efface.plan.plan import Plan, Step
from efface.plan.planner import make_plan, preview
from efface.plan.retained_rows import closed_owners, retained_steps
from efface.policy.check import check
from efface.store.closing_records import recorded_receipts
from efface.store.efface_tables import metadata

BATCH_LIMIT = 1000
"""The most accounts to close in one transaction: more would keep locks for too long."""


class Eraser(EarlierAccounts):
    """Close accounts by a policy, inside your transaction. You commit.

    Make one eraser when your application starts. It is not bound to a database.

    Methods take *bind*, a `Session` or a `Connection` whose transaction they use, and *pk*, the
    primary key of the user's row: a tuple if it has several columns. They may raise:

    - ``PolicyError``: a column has no rule, or the policy cannot be carried out.
    - ``MissingTablesError``: the table that Efface owns is missing; see `create_tables`.
    - ``SubjectKeyError``: a primary key is of the wrong type.
    - ``AutocommitError``: the connection commits each statement by itself.
    - ``SeveralDatabasesError``: the session has the tables of the policy in several databases.
    - ``StatementError``: the database refused a statement. Your innermost transaction or savepoint
      has been rolled back, so nothing was changed.

    With an `AsyncSession`, use ``await session.run_sync(eraser.close_account, pk, actor=...)``.

    Example:
        >>> eraser = Eraser(policy, secret="sixteen bytes or more from your settings")
        >>> eraser.check()
        ()
    """

    def check(self) -> tuple[Problem, ...]:
        """Return every problem of the policy, errors and warnings; needs no database.

        An empty tuple means that every column has a rule and every action is possible.
        """
        problems = check(self.policy)
        # Relationships cannot be followed without a users' table to arrive at.
        if any(problem.code == "E102" for problem in problems):
            return problems
        return (*problems, *build(self.policy)[1])

    def create_tables(self, bind: Engine | Connection) -> None:
        """Create Efface's own table if it is missing. With migrations you don't need it."""
        metadata.create_all(bind)

    def plan(self, bind: Bind, pk: Any) -> Plan:
        """Return what closing the account would do now, counted in the database; only reads.

        A closed account has a plan without steps. One that was soft-deleted before you used Efface
        has the steps of `adopt`.

        Raises:
            UnknownSubjectError: no row has this key.

        Example:
            >>> plan = eraser.plan(session, 1)
            >>> [(step.action, step.table, step.rows) for step in plan.steps[:3]]
            [('revoke', 'users_tokens', 2), ('retain', 'invoices', 0), ('delete', 'newsletter', 1)]
        """
        key = self._key_of(pk)
        with self._joined(bind) as (cursor, compiled):
            done = partial(is_recorded, cursor, compiled, self._fingerprint)
            today = self._now().date()
            return make_plan(
                cursor, compiled.single, key, self._fingerprint, today, is_recorded=done
            )

    def preview(self, bind: Bind, pk: Any) -> tuple[Step, ...]:
        """Return the steps of a closure without reading any text; only reads.

        It takes a fraction of the time of `plan`, so a page can show it. Each step's ``rows`` are
        the most that may change, because only reading a text shows whether it mentions the user.

        Raises:
            UnknownSubjectError: no row has this key.
        """
        key = self._key_of(pk)
        with self._joined(bind) as (cursor, compiled):
            done = partial(is_recorded, cursor, compiled, self._fingerprint)
            return preview(cursor, compiled.single, key, self._now().date(), is_recorded=done)

    def retained(self, bind: Bind, pk: Any) -> tuple[Step, ...]:
        """Return the steps with records that the policy retains of a user, open or closed.

        Only reads. Ask before you delete a user's row yourself: the steps are empty if nothing
        would be lost.

        Raises:
            UnknownSubjectError: no row has this key.
        """
        key = self._key_of(pk)
        with self._joined(bind) as (cursor, compiled):
            return retained_steps(cursor, compiled.single, key, self._now().date())

    def find_closed_owners(self, bind: Bind, table: str, key: Mapping[str, Any]) -> list[Any]:
        """Return the users whose retained record a row is, by primary key; only reads.

        Open accounts are left out: until they are closed, the application decides about the row.

        Args:
            bind: The Session or Connection.
            table: The full name of the row's table.
            key: The row's primary key, by column.
        """
        with self._joined(bind) as (cursor, compiled):
            found = closed_owners(cursor, compiled.single, table, key)
        return [each[0] if len(each) == 1 else each for each in found]

    def record_deletion(
        self, bind: Bind, pk: Any, steps: Sequence[Step], *, actor: str, reason: str
    ) -> Receipt:
        """Record that your application deletes retained records, as after spam. You commit.

        Args:
            bind: The Session or Connection whose transaction deletes the rows.
            pk: The primary key of the user.
            steps: What is deleted, such as those of `retained`.
            actor: Who deletes them.
            reason: Why they need not be kept.

        Returns:
            The receipt, whose ``overridden`` is the reason.

        Raises:
            ActorIdentifiesUserError: *actor* or *reason* contains the user's email address.
        """
        require_recordable("reason", reason)
        key, context = self._key_of(pk), self._context(actor, BlockerCheck(bind, override=reason))
        with self._joined(bind) as (cursor, compiled):
            return record_deletion(cursor, compiled, key, tuple(steps), context)

    def get_receipt(self, bind: Bind, reference: str) -> Receipt | None:
        """Return the recorded receipt with this *reference*, or None; only reads."""
        with self._joined(bind) as (cursor, compiled):
            found = compiled.closings.receipt(cursor, reference)
        return Receipt.from_json(found) if found is not None else None

    def find_receipt(self, bind: Bind, pk: Any) -> Receipt | None:
        """Return the recorded receipt of a closed account, or None; only reads.

        None means that the account is open, or that Efface did not close it.

        Raises:
            UnknownSubjectError: no row has this key.
        """
        key = self._key_of(pk)
        with self._joined(bind) as (cursor, compiled):
            return find_receipt(cursor, compiled, key, self._fingerprint)

    def receipts(self, bind: Bind, since: datetime | None = None) -> list[Receipt]:
        """Return the recorded receipts, oldest first; only reads.

        *since* is an aware moment: accounts that were closed before it are left out.
        """
        with join(bind, self._engines) as cursor:
            found = recorded_receipts(cursor.connection, since)
        return [Receipt.from_json(text) for text in found]

    def statements(self, bind: Bind) -> list[str]:
        """Return the SQL of a closure on this database, in its order and without values."""
        with self._joined(bind) as (_, compiled):
            return [statement.sql for statement in compiled.closing_statements()]

    def close_account(
        self,
        bind: Bind,
        pk: Any,
        *,
        actor: str,
        plan: Plan | None = None,
        blockers: Blockers | None = None,
        override_blockers: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Receipt:
        """Close the account and return the receipt. You commit, then call `finalize`.

        It locks the user's row, deletes credentials, sets ``deleted_at`` and carries out the other
        rules. Closing a closed account changes nothing and returns the first receipt, with
        ``already_closed`` set. If it raises, nothing was changed.

        Args:
            bind: The Session or Connection whose transaction is used.
            pk: The primary key of the user's row.
            actor: Who asked, such as ``"ticket 8114"``: 1 to 200 characters, never a name.
            plan: A plan that you reviewed. It is refused if the database has changed since.
            blockers: Asked in addition to the eraser's function; takes *bind* and *pk*.
            override_blockers: Why to close the account in spite of blockers. The receipt has it.
            on_progress: Takes the numbers of finished and of all tables; must not use *bind*.

        Raises:
            UnknownSubjectError: no row has this key.
            UnrecordedClosingError: ``deleted_at`` is set, but not by Efface; see `adopt`.
            ActorIdentifiesUserError: *actor* contains the user's email address.
            BlockedError: there are blockers, which the error has.
            ForeignPlanError: *plan* is for another account or another policy.
            StalePlanError: the database has changed since *plan*.

        Example:
            >>> receipt = eraser.close_account(session, 1, actor="self-service")
            >>> session.commit()
            >>> session.get(User, 1).email
            'anonymized-...@users.invalid'
        """
        key = self._key_of(pk)
        check = BlockerCheck(bind, self.blockers, blockers, override_blockers)
        context = self._context(actor, check)
        with self._joined(bind) as (cursor, compiled):
            receipt = close_one(cursor, compiled, key, context, plan=plan, on_progress=on_progress)
        # The first receipt of a closed account lists changes of another transaction.
        if not receipt.already_closed:
            expire(bind, (step.table for step in receipt.steps if step.changes_rows))
        return receipt

    def close_accounts(
        self,
        bind: Bind,
        pks: Iterable[Any],
        *,
        actor: str,
        override_blockers: str | None = None,
    ) -> BatchReceipt:
        """Close up to 1,000 accounts, with as many statements as one. You commit.

        Either all accounts are closed or none. Accounts closed before have their first receipts.
        It asks the eraser's ``blockers`` about each account; *override_blockers* is as in
        `close_account`, and recorded for the whole batch.

        Raises:
            BlockedError: there are blockers; its ``keys`` are of these accounts.
            UnknownSubjectError: a row does not exist. Nothing was changed.
            UnrecordedClosingError: a ``deleted_at`` is set, but not by Efface; see `adopt`.
            ActorIdentifiesUserError: *actor* contains the email address of one of the users.
                Nothing was changed.
            BatchError: there are more than 1,000 accounts, or keys with several columns.
        """
        keys = list(dict.fromkeys(self._key_of(pk) for pk in pks))
        if len(keys) > BATCH_LIMIT or len(self.policy.subject_table.primary_key.columns) > 1:
            raise BatchError.too_large(BATCH_LIMIT)
        context = self._context(actor, BlockerCheck(bind, self.blockers, None, override_blockers))
        with self._joined(bind) as (cursor, compiled):
            batch = close_many(cursor, compiled, keys, context)
        expire(bind, (step.table for step in batch.steps if step.changes_rows))
        return batch

    @overload
    def finalize(self, bind: Bind, receipt: Receipt) -> Receipt: ...

    @overload
    def finalize(self, bind: Bind, receipt: BatchReceipt) -> BatchReceipt: ...

    def finalize(self, bind: Bind, receipt: Receipt | BatchReceipt) -> Receipt | BatchReceipt:
        """Run the post-commit pass and search the database. You commit.

        Call it after the commit of `close_account`. A writer that waited on the lock may have
        written for the user since, so the pass carries out the rules again. Then the search looks
        for the user's identifiers in every text and JSON column.

        Only the process that closed the account knows the identifiers. With a receipt from
        another process, ``search`` stays None, and the pass does not find late rows by value. The
        pass never finds late rows through rows that the closure unlinked. `verify` finds both.

        Returns:
            The receipt with ``finalized_at``, ``late`` and ``search``.

        Raises:
            ForeignClosingError: the receipt is for another users' table than the policy's.
            UnrecognizedClosingError: the account was closed with another secret. Nothing was
                changed.
            BatchError: another process closed the batch; finalize each of its receipts.

        Example:
            >>> receipt = eraser.close_account(session, 1, actor="self-service")
            >>> session.commit()
            >>> receipt = eraser.finalize(session, receipt)
            >>> session.commit()
            >>> receipt.search.is_clean
            True
        """
        context = self._context(receipt.actor)
        finalized: Receipt | BatchReceipt
        with self._joined(bind) as (cursor, compiled):
            if isinstance(receipt, BatchReceipt):
                finalized, steps = finalize_batch(cursor, compiled, receipt, context)
            else:
                done = finalize_one(cursor, compiled, receipt, context)
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
        """Finalize closures that a crash or an error interrupted, oldest first. You commit.

        Each is finalized as `finalize` does with a receipt from another process: the post-commit
        pass runs by the current policy, and ``search`` stays None. Several workers may run at the
        same time, because each skips the closures that another has locked. A closure that fails is
        rolled back by itself, does not count for *limit*, and stays pending.

        Args:
            bind: The Session or Connection whose transaction is used.
            limit: The most closures to finalize in this transaction.
            min_age: Leaves out younger closures, which the process that made them may finalize.
            exclude: The references of closures to leave out, such as those that just failed.

        Raises:
            ConnectionLostError: the connection to the database was lost.
        """
        context = self._context("run_pending")
        with self._joined(bind) as (cursor, compiled):
            pending_run, steps = run_pending_closings(
                cursor,
                compiled,
                context,
                before=context.now - min_age,
                limit=limit,
                exclude=exclude,
            )
        expire(bind, (step.table for step in steps if step.changes_rows))
        return pending_run

    def verify(self, bind: Bind, pk: Any, identifiers: Iterable[str]) -> Search:
        """Search every text and JSON column for *identifiers* of a user; only reads.

        *identifiers* are former values, such as the email address; Efface does not store or show
        them. *pk* tells the user's rows under `Retain` from others. The result has tables, columns
        and numbers of rows, without values.
        """
        key = self._key_of(pk)
        with self._joined(bind) as (cursor, compiled):
            return compiled.search.search_for(cursor, key, SearchTerms(identifiers))
