"""``manage.py efface check | plan | close | verify | closed | work --once``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DjangoError
from django.db import connections, transaction
from sqlalchemy.exc import SQLAlchemyError

from efface.console import command_texts as texts
from efface.console.command_arguments import (
    actor_of,
    identifiers_in,
    is_a_terminal,
    moment_of,
    plan_in,
    require_once,
)
from efface.console.exit_status import Status, sentence_of, status_of
from efface.django import accounts
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
from efface.policy.rules_table import overview


class Command(BaseCommand):
    """Efface's commands over the models and databases of this project."""

    help = "Close accounts: check the policy, show a plan, close, verify, list closings."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a command for each act."""
        add_commands(parser)

    def handle(self, *_: Any, act: str | None, **options: Any) -> None:
        """Do what was asked; refusals become a message and an exit status."""
        if act is None:
            named = ", ".join(COMMANDS)
            raise CommandError(
                f"Name a command: {named}. What each does: manage.py efface --help",
                returncode=Status.USAGE,
            )
        named = options.pop("database")
        alias = named or erasers.find_user_database()
        if act == "check":
            options["live"] = named is not None
        try:
            getattr(self, f"_{act}")(erasers.require_users(alias), **options)
        except EffaceError as error:
            said = _not_migrated(alias) if _needs_migrate(error, alias) else str(error)
            raise CommandError(said, returncode=status_of(error)) from None
        except (DjangoError, SQLAlchemyError) as error:
            said = _not_migrated(alias) if _is_mismatch(error) else sentence_of(error)
            raise CommandError(said, returncode=Status.DATABASE) from None

    def _check(self, alias: str, *, strict: bool, live: bool, **options: Any) -> None:
        policy = erasers.load_eraser(alias).eraser.policy
        if options["table"]:
            self.stdout.write(overview(policy))
            return
        problems = erasers.find_problems(alias)
        if live:
            problems += erasers.find_differences(alias)
        errors = sum(strict or each.level == "error" for each in problems)
        if options["json"]:
            self.stdout.write(texts.problems_json(problems, errors))
        else:
            if problems:
                self.stdout.write(describe(problems))
            warnings = len(problems) - errors
            self.stdout.write(texts.problems_summary(policy, errors, warnings))
        if errors:
            raise CommandError("The policy cannot be carried out.", returncode=Status.REFUSED)

    def _plan(self, alias: str, *, key: str, **options: Any) -> None:
        if options["sql"]:
            with _at_work(alias) as (here, bind):
                erasers.read_primary_key(here, key)
                statements = here.eraser.statements(bind)
            self.stdout.write(";\n\n".join(statements) + ";")
            return
        first, made = _find_receipt(alias, key), accounts.plan(key, using=alias)
        if first is None:
            self.stdout.write(made.to_json() if options["json"] else made.explain())
        elif options["json"]:
            self._note(texts.closed_before(first))
            self.stdout.write(made.to_json())
        else:
            self.stdout.write(texts.closed_before(first))

    def _close(
        self, alias: str, *, key: str, actor: str, plan: Path | None, **options: Any
    ) -> None:
        asking, read = actor_of(actor), plan_in(plan)
        if not options["yes"] and is_a_terminal():
            read = self._asked(alias, key, read)
        receipt = accounts.close_account(key, actor=asking, using=alias, plan=read)
        self.stdout.write(receipt.to_json() if options["json"] else texts.receipt_text(receipt))
        is_committed = not connections[alias].in_atomic_block
        if receipt.finalized_at is None and is_committed and not receipt.already_closed:
            raise CommandError(
                f"The account is closed, receipt {receipt.reference}. The post-commit pass or "
                "the search failed; the log says why. Later, run: manage.py efface work --once",
                returncode=Status.DATABASE,
            )
        search = receipt.search
        if search is not None and not search.is_clean:
            said = texts.still_found(receipt, search)
            raise CommandError(said, returncode=Status.EVIDENCE)

    def _verify(self, alias: str, *, key: str, identifiers: Path, **options: Any) -> None:
        lines = identifiers_in(identifiers)
        try:
            _find_receipt(alias, key)
        except UnknownSubjectError:
            self._note(texts.no_such_row(erasers.load_eraser(alias).eraser.policy))
        search = accounts.verify(key, lines, using=alias)
        said = texts.search_json(search) if options["json"] else texts.search_text(search)
        self.stdout.write(said)
        if not search.is_clean:
            raise CommandError(texts.found_in(search), returncode=Status.EVIDENCE)

    def _closed(self, alias: str, *, since: str | None, **options: Any) -> None:
        found = accounts.receipts(moment_of(since) if since else None, using=alias)
        said = texts.closings_json(found) if options["json"] else texts.closings_text(found)
        self.stdout.write(said)

    def _work(self, alias: str, *, once: bool, limit: int, **options: Any) -> None:
        require_once(once=once)
        if limit < 1:
            raise SettingsError("--limit is at least 1.")
        done = accounts.run_pending(limit=limit, using=alias)
        self.stdout.write(done.to_json() if options["json"] else texts.pending_run_text(done))
        for failure in done.failures:
            self._note(f"{failure.reference}: {failure.error}")
        if done.failures:
            status = status_of(done.failures[0].error)
            raise CommandError("Not all could be settled.", returncode=status)

    def _asked(self, alias: str, key: str, plan: Plan | None) -> Plan | None:
        """Show the plan and ask; what was read is what must still fit when it is carried out."""
        if _find_receipt(alias, key) is not None:
            # Nothing will change.
            return plan
        shown = plan or accounts.plan(key, using=alias)
        try:
            self._note(shown.explain())
            self.stderr.write(f"{texts.QUESTION} [y/N]: ", str, ending="")
            self.stderr.flush()
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was changed.", returncode=Status.REFUSED)
        return shown

    def _note(self, text: str) -> None:
        """Write *text* beside the results, as it is: Django would color it as an error."""
        self.stderr.write(text, str)


@contextmanager
def _at_work(alias: str) -> Iterator[tuple[erasers.DatabaseEraser, sa.Connection]]:
    here = erasers.require_eraser(alias)
    with transaction.atomic(using=alias), sqlalchemy_connection(alias) as bind:
        yield here, bind


def _find_receipt(alias: str, key: str) -> Receipt | None:
    """Return the receipt of the account with this *key*, or None where it is open."""
    with _at_work(alias) as (here, bind):
        return here.eraser.find_receipt(bind, erasers.read_primary_key(here, key))


def _needs_migrate(error: EffaceError, alias: str) -> bool:
    """Return whether it is the database that lacks something, and not the models."""
    if isinstance(error, MissingDeletedAtError):
        return not any(each.level == "error" for each in erasers.find_problems(alias))
    return isinstance(error, (MissingTablesError, SchemaMismatchError))


def _is_mismatch(error: Exception) -> bool:
    cause = error.__cause__
    driver = cause if isinstance(cause, Exception) else error
    found = refused("", "", driver, is_lost=False, is_conflict=False)
    return isinstance(found, SchemaMismatchError)


def _not_migrated(alias: str) -> str:
    return (
        f"The database {alias} does not have all tables and columns of the models yet. Nothing was "
        f"changed. Run first: manage.py migrate --database {alias}"
    )
