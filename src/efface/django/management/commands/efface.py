"""``manage.py efface``: check, plan, close, verify, closed, work, adopt, erase-again."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DjangoError
from django.db import connections, transaction
from sqlalchemy.exc import SQLAlchemyError

from efface.console import command_texts as texts
from efface.console import earlier_accounts as earlier
from efface.console.command_arguments import (
    is_terminal,
    read_date,
    read_identifiers,
    read_plan,
    read_recorded,
    require_once,
)
from efface.console.exit_status import Status, describe_database_error, find_status
from efface.django import accounts, earlier_accounts
from efface.django.database.django_connection import sqlalchemy_connection
from efface.django.management.parser import COMMANDS, add_commands
from efface.django.policy import erasers
from efface.errors import (
    EffaceError,
    MissingDeletedAtError,
    MissingTablesError,
    SchemaMismatchError,
    SettingsError,
    UnknownSubjectError,
    describe,
)
from efface.errors.database_refusals import refused
from efface.evidence.receipt import Receipt
from efface.plan.plan import Plan
from efface.policy.rules_table import format_rules


class Command(BaseCommand):
    """Run Efface's commands for the models and databases of this project."""

    help = "Close accounts: check the policy, show a plan, close, verify, list closed accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the arguments of each command."""
        add_commands(parser)

    def handle(self, *_: Any, act: str | None, **options: Any) -> None:
        """Run the command, and turn errors into a message and an exit status."""
        if act is None:
            named = ", ".join(COMMANDS)
            raise CommandError(
                f"Name a command: {named}. To read what each does: manage.py efface --help",
                returncode=Status.USAGE,
            )
        # Django's `execute` passes further options, which each command ignores.
        named = options.pop("database")
        alias = named or erasers.find_user_database()
        if act == "check":
            options["live"] = named is not None
        try:
            getattr(self, f"_{act.replace('-', '_')}")(erasers.require_users(alias), **options)
        except EffaceError as error:
            text = _format_migrate_hint(alias) if _needs_migrate(error, alias) else str(error)
            raise CommandError(text, returncode=find_status(error)) from None
        except (DjangoError, SQLAlchemyError) as error:
            # Neither its text nor its traceback, because both can contain values of a row.
            text = (
                _format_migrate_hint(alias)
                if _is_mismatch(error)
                else describe_database_error(error)
            )
            raise CommandError(text, returncode=Status.DATABASE) from None

    def _check(self, alias: str, *, strict: bool, live: bool, **options: Any) -> None:
        policy = erasers.load_eraser(alias).eraser.policy
        if options["table"]:
            self.stdout.write(format_rules(policy))
            return
        problems = erasers.find_problems(alias)
        if live:
            problems += erasers.find_differences(alias)
        errors = sum(strict or each.level == "error" for each in problems)
        if options["json"]:
            self.stdout.write(texts.problems_to_json(problems, errors))
        else:
            if problems:
                self.stdout.write(describe(problems))
            warnings = len(problems) - errors
            self.stdout.write(texts.format_summary(policy, errors, warnings))
        if errors:
            raise CommandError("The policy has errors.", returncode=Status.REFUSED)

    def _plan(self, alias: str, *, key: str, **options: Any) -> None:
        if options["sql"]:
            with _open_eraser(alias) as (database_eraser, bind):
                # Only to check the type: the statements have parameters in place of the key.
                erasers.read_primary_key(database_eraser, key)
                statements = database_eraser.eraser.statements(bind)
            self.stdout.write(";\n\n".join(statements) + ";")
            return
        receipt, new_plan = _find_receipt(alias, key), accounts.plan(key, using=alias)
        if receipt is None:
            self.stdout.write(new_plan.to_json() if options["json"] else new_plan.explain())
        elif options["json"]:
            self._write_note(texts.format_already_closed(receipt))
            self.stdout.write(new_plan.to_json())
        else:
            self.stdout.write(texts.format_already_closed(receipt))

    def _close(
        self, alias: str, *, key: str, actor: str, plan: Path | None, **options: Any
    ) -> None:
        actor_text, reviewed_plan = read_recorded("--actor", actor), read_plan(plan)
        override = options["override_blockers"]
        if override is not None:
            override = read_recorded("--override-blockers", override)
        if not options["yes"] and is_terminal():
            reviewed_plan = self._confirm(alias, key, reviewed_plan)
        receipt = accounts.close_account(
            key, actor=actor_text, using=alias, plan=reviewed_plan, override_blockers=override
        )
        self.stdout.write(receipt.to_json() if options["json"] else texts.format_receipt(receipt))
        # Inside another transaction the follow-up runs only after its commit.
        is_committed = not connections[alias].in_atomic_block
        if receipt.finalized_at is None and is_committed and not receipt.already_closed:
            raise CommandError(
                f"The account is closed, receipt {receipt.reference}. The post-commit pass or "
                "the search failed. The log says why. Run later: manage.py efface work --once",
                returncode=Status.DATABASE,
            )
        search = receipt.search
        if search is not None and not search.is_clean:
            text = texts.format_search_warning(receipt, search)
            raise CommandError(text, returncode=Status.EVIDENCE)

    def _verify(self, alias: str, *, key: str, identifiers: Path, **options: Any) -> None:
        lines = read_identifiers(identifiers)
        try:
            _find_receipt(alias, key)
        except UnknownSubjectError:
            self._write_note(texts.format_missing_row(erasers.load_eraser(alias).eraser.policy))
        search = accounts.verify(key, lines, using=alias)
        text = texts.search_to_json(search) if options["json"] else texts.format_search(search)
        self.stdout.write(text)
        if not search.is_clean:
            raise CommandError(texts.found_in(search), returncode=Status.EVIDENCE)

    def _closed(self, alias: str, *, since: str | None, **options: Any) -> None:
        found = accounts.receipts(read_date(since) if since else None, using=alias)
        text = texts.closings_to_json(found) if options["json"] else texts.format_closings(found)
        self.stdout.write(text)

    def _work(self, alias: str, *, once: bool, limit: int, **options: Any) -> None:
        require_once(once=once)
        if limit < 1:
            raise SettingsError("--limit is at least 1.")
        done = accounts.run_pending(limit=limit, using=alias)
        self.stdout.write(done.to_json() if options["json"] else texts.format_pending_run(done))
        for failure in done.failures:
            self._write_note(f"{failure.reference}: {failure.error}")
        if done.failures:
            status = find_status(done.failures[0].error)
            raise CommandError("Some account closures were not finalized.", returncode=status)

    def _confirm(self, alias: str, key: str, plan: Plan | None) -> Plan | None:
        """Show the plan and ask for confirmation. Return the plan that the closure must match."""
        if _find_receipt(alias, key) is not None:
            # The closure will return the first receipt and change nothing.
            return plan
        shown = plan or accounts.plan(key, using=alias)
        self._write_note(shown.explain())
        self._ask(texts.QUESTION)
        return shown

    def _ask(self, question: str) -> None:
        # Not `input()`, which writes the prompt to standard output, among the results.
        try:
            self.stderr.write(f"{question} [y/N]: ", str, ending="")
            self.stderr.flush()
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was changed.", returncode=Status.REFUSED)

    def _adopt(self, alias: str, *, before: str, actor: str, yes: bool, **options: Any) -> None:
        moment, actor_text = earlier.read_before(before), read_recorded("--actor", actor)
        preview = earlier_accounts.preview_adoption(before=moment, using=alias)
        self._write_note(earlier.format_preview(preview, moment))
        run = earlier.EarlierRun()
        if preview.accounts:
            self._confirm_all(yes=yes)

            def adopt(key: Any) -> Receipt:
                return earlier_accounts.adopt(key, actor=actor_text, using=alias)

            run = self._run_each(alias, moment, adopt, recorded=False)
        self.stdout.write(run.to_json() if options["json"] else earlier.format_run(run))
        self._report(run)

    def _erase_again(
        self, alias: str, *, key: str | None, before: str | None, actor: str, **options: Any
    ) -> None:
        actor_text = read_recorded("--actor", actor)
        if (key is None) == (before is None):
            raise SettingsError("Name one account by its primary key, or all with --before DATE.")

        def erase(user: Any) -> Receipt:
            return earlier_accounts.erase_again(user, actor=actor_text, using=alias)

        gone = erasers.load_eraser(alias).eraser.unrepeatable()
        if before is None:
            receipt = erase(key)
            text = receipt.to_json() if options["json"] else texts.format_receipt(receipt)
            self.stdout.write(text)
            self._write_note(earlier.format_unrepeatable(gone))
            return
        moment = earlier.read_before(before)
        self._confirm_all(yes=options["yes"])
        run = self._run_each(alias, moment, erase, recorded=True)
        self.stdout.write(run.to_json() if options["json"] else earlier.format_run(run, gone))
        self._report(run)

    def _confirm_all(self, *, yes: bool) -> None:
        earlier.require_answer(yes=yes, is_terminal=is_terminal())
        if not yes:
            self._ask(earlier.QUESTION)

    def _run_each(
        self, alias: str, before: datetime, erase: Callable[[Any], Receipt], *, recorded: bool
    ) -> earlier.EarlierRun:
        def next_keys(after: Any) -> list[Any]:
            return earlier_accounts.find_closed(
                before=before, recorded=recorded, after=after, using=alias
            )

        runs = deque(earlier.erase_one_by_one(next_keys, erase), maxlen=1)
        return runs[0] if runs else earlier.EarlierRun()

    def _report(self, run: earlier.EarlierRun) -> None:
        for name, error in run.failures:
            self._write_note(f"{name}: {error}")
        if run.failures:
            number = f"{len(run.failures)} of {run.accounts + len(run.failures)}"
            status = find_status(run.failures[0][1])
            raise CommandError(f"{number} accounts were not erased.", returncode=status)
        if run.unclean:
            text = "The search found an identifier after an account was erased."
            raise CommandError(text, returncode=Status.EVIDENCE)

    def _write_note(self, text: str) -> None:
        """Write *text* to standard error, without the color that Django gives to errors."""
        self.stderr.write(text, str)


@contextmanager
def _open_eraser(alias: str) -> Iterator[tuple[erasers.DatabaseEraser, sa.Connection]]:
    """Yield the eraser and a connection inside a transaction."""
    database_eraser = erasers.require_eraser(alias)
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        yield database_eraser, bind


def _find_receipt(alias: str, key: str) -> Receipt | None:
    """Return the receipt of the account with this primary *key*, or None if it is open."""
    with _open_eraser(alias) as (database_eraser, bind):
        return database_eraser.eraser.find_receipt(
            bind, erasers.read_primary_key(database_eraser, key)
        )


def _needs_migrate(error: EffaceError, alias: str) -> bool:
    """Return whether the database lacks something that the models have."""
    if isinstance(error, MissingDeletedAtError):
        return not any(each.level == "error" for each in erasers.find_problems(alias))
    return isinstance(error, (MissingTablesError, SchemaMismatchError))


def _is_mismatch(error: Exception) -> bool:
    """Return whether the database lacks a table or column that a statement names."""
    cause = error.__cause__
    driver = cause if isinstance(cause, Exception) else error
    found = refused("", "", driver, is_lost=False, is_conflict=False)
    return isinstance(found, SchemaMismatchError)


def _format_migrate_hint(alias: str) -> str:
    return (
        f"The database {alias} does not have all tables and columns of the models yet. Nothing was "
        f"changed. First, run: manage.py migrate --database {alias}"
    )
