"""``manage.py efface check | plan | close | verify | closed | erase-due``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from efface.django import closing
from efface.errors import EffaceError, describe
from efface.evidence.receipt import Receipt
from efface.evidence.residue import Search
from efface.plan.steps import Plan

REFUSED, USAGE, EVIDENCE = 1, 2, 4


class Command(BaseCommand):
    """Efface's commands over the models and databases of this project."""

    help = "Close accounts: check the policy, show a plan, close, verify, list closings."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a command for each act."""
        acts = parser.add_subparsers(dest="act", required=True)
        check = acts.add_parser("check", help="everything that is undecided or impossible")
        plan = acts.add_parser("plan", help="what closing an account would do now")
        close = acts.add_parser("close", help="close an account, commit, search the database")
        verify = acts.add_parser("verify", help="search for identifiers of a person who left")
        closed = acts.add_parser("closed", help="the recorded closings")
        due = acts.add_parser("erase-due", help="settle what a crash left unsettled")
        for each in (check, plan, close, verify, closed, due):
            each.add_argument("--database", metavar="ALIAS", help="an alias in DATABASES")
        for each in (plan, close, verify, closed, due):
            each.add_argument("--json", action="store_true", help="print JSON for programs")
        for each in (plan, close, verify):
            each.add_argument("key", help="the primary key of the person's row")
        close.add_argument("--actor", required=True, help='as "ticket 8114"; never a name')
        close.add_argument("--plan", metavar="FILE", help="refuse if this plan no longer fits")
        verify.add_argument(
            "--identifiers", metavar="FILE", required=True, help='one a line; "-" reads stdin'
        )
        due.add_argument("--limit", type=int, default=100, help="the most that are settled")
        closed.add_argument("--since", metavar="DATE", help="as 2026-01-31, in UTC")

    def handle(self, *_: Any, act: str, database: str | None, **options: Any) -> None:
        """Do what was asked; refusals become a message and an exit status."""
        try:
            getattr(self, f"_{act.replace('-', '_')}")(database, **options)
        except EffaceError as error:
            raise CommandError(str(error), returncode=REFUSED) from None

    def _check(self, alias: str | None, **_: Any) -> None:
        found = closing.problems(alias or closing.home())
        if found:
            self.stdout.write(describe(found))
        if any(problem.level == "error" for problem in found):
            raise CommandError("The policy cannot be carried out.", returncode=REFUSED)
        self.stdout.write("Everything is decided.")

    def _plan(self, alias: str | None, *, key: str, **options: Any) -> None:
        made = closing.plan(key, using=alias)
        self.stdout.write(made.to_json() if options["json"] else made.explain())

    def _close(self, alias: str | None, *, key: str, actor: str, **options: Any) -> None:
        read = _plan_from(options["plan"])
        receipt = closing.close_account(key, actor=actor, using=alias, plan=read)
        self.stdout.write(receipt.to_json() if options["json"] else _line(receipt))
        if receipt.search is not None and not receipt.search.is_clean:
            raise CommandError(_found(receipt.search), returncode=EVIDENCE)

    def _verify(self, alias: str | None, *, key: str, identifiers: str, **options: Any) -> None:
        search = closing.verify(key, _lines(identifiers), using=alias)
        if options["json"]:
            said = json.dumps({**asdict(search), "is_clean": search.is_clean}, indent=2)
            self.stdout.write(said)
        else:
            self.stdout.write(search.summary())
        if not search.is_clean:
            raise CommandError(_found(search), returncode=EVIDENCE)

    def _closed(self, alias: str | None, *, since: str | None, **options: Any) -> None:
        found = closing.receipts(_moment(since), using=alias)
        if options["json"]:
            self.stdout.write(json.dumps([json.loads(each.to_json()) for each in found], indent=2))
            return
        for receipt in found:
            self.stdout.write(_line(receipt))
        self.stdout.write("1 closing." if len(found) == 1 else f"{len(found)} closings.")

    def _erase_due(self, alias: str | None, *, limit: int, **options: Any) -> None:
        if limit < 1:
            raise CommandError("--limit is at least 1.", returncode=USAGE)
        done = closing.erase_due(limit=limit, using=alias)
        if options["json"]:
            self.stdout.write(done.to_json())
        else:
            for receipt in done.receipts:
                self.stdout.write(_line(receipt))
            self.stdout.write(f"Settled: {len(done.receipts)}. Due still: {done.remaining}.")
        for failure in done.failures:
            self.stderr.write(f"{failure.reference}: {failure.error}")
        if done.failures:
            raise CommandError("Not all could be settled.", returncode=REFUSED)


def _line(receipt: Receipt) -> str:
    moment = receipt.closed_at.strftime("%Y-%m-%d %H:%M UTC")
    state = "not settled" if receipt.settled_at is None else "settled, not searched"
    if receipt.search is not None:
        state = receipt.search.summary()
    kept = f" · kept until {receipt.kept_until.isoformat()}" if receipt.kept_until else ""
    again = " · closed before; nothing was changed" if receipt.already_closed else ""
    return f"{moment}  {receipt.reference}  {receipt.actor} · {state}{kept}{again}"


def _found(search: Search) -> str:
    places = ", ".join(f"{found.table}.{found.column}" for found in search.findings)
    return f"The search still finds the person: {places}."


def _plan_from(path: str | None) -> Plan | None:
    if path is None:
        return None
    try:
        return Plan.from_json(Path(path).read_text(encoding="utf-8"))
    except (KeyError, OSError, TypeError, ValueError):
        raise CommandError(
            f"{path} is not a plan as manage.py efface plan --json prints it.", returncode=USAGE
        ) from None


def _lines(path: str) -> list[str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"{path} cannot be read as text.", returncode=USAGE) from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise CommandError(f"{path} holds no identifiers; write one a line.", returncode=USAGE)
    return lines


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise CommandError("--since takes a date as 2026-01-31.", returncode=USAGE) from None
