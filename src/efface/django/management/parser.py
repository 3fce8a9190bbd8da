"""Define the arguments of each command of ``manage.py efface``."""

from __future__ import annotations

from argparse import SUPPRESS
from pathlib import Path

from django.core.management.base import CommandParser

COMMANDS = {
    "check": "Report every column without a rule and every impossible action; exit 1 if there is "
    "one. With --database, Efface compares the models with the database, too.",
    "plan": "Print what closing the account would do, without changing anything. To close the "
    "account only as planned, keep the JSON, and use: manage.py efface close PK --plan FILE",
    "close": "Close the account, then run the post-commit pass and search the database. On a "
    "terminal, Efface first shows the plan and asks you. It exits with 4 if the search still finds "
    "an identifier outside the kept records. The account is closed in that case, too.",
    "verify": "Search every text and JSON column for the identifiers in FILE; exit 4 if one is "
    "found. Efface reads them from a file, because the shell keeps command lines in its history.",
    "closed": "List the recorded account closures, oldest first.",
    "work": "Finalize unfinished account closures, oldest first, each in its own transaction. "
    "It needs --once. If one fails, the others continue, and it stays pending.",
    "adopt": "Erase the accounts that were soft-deleted before DATE, and before you used Efface. "
    "Efface first shows how many rows change at most, and asks you. Each account has its own "
    "transaction. If one fails, the others continue, and the next run tries it again.",
    "erase-again": "Carry out today's rules for an account that Efface closed earlier, or for all "
    "before DATE. Use it after you have added a rule. The identifiers of these users are gone, so "
    "Efface can't look for them in texts any more.",
}
"""The help text of each command."""


def add_commands(parser: CommandParser) -> None:
    """Add each command with its arguments to *parser*."""
    # If argparse required it, its message would name `COMMAND` and not the commands.
    subparsers = parser.add_subparsers(dest="act", metavar="COMMAND", required=False)
    commands = {
        name: subparsers.add_parser(
            name, help=description.split(";")[0].split(". ")[0], description=description
        )
        for name, description in COMMANDS.items()
    }
    for command in commands.values():
        command.add_argument("--database", metavar="ALIAS", help="an alias in DATABASES")
        command.add_argument("--json", action="store_true", help="print JSON for programs")
        _add_django_options(command)
    for name in ("plan", "close", "verify"):
        commands[name].add_argument("key", metavar="PK", help="the user's primary key")
    _add_specific_options(commands)
    _add_earlier_options(commands)


def _add_specific_options(commands: dict[str, CommandParser]) -> None:
    """Add the options that only one of the *commands* has."""
    check, close = commands["check"], commands["close"]
    check.add_argument("--strict", action="store_true", help="treat warnings as errors")
    check.add_argument("--table", action="store_true", help="print every rule as a Markdown table")
    commands["plan"].add_argument(
        "--sql", action="store_true", help="print the SQL statements, without values"
    )
    close.add_argument(
        "--actor", required=True, help='who asked, such as "ticket 8114"; never a name'
    )
    close.add_argument(
        "--plan", metavar="FILE", type=Path, help="refuse if this plan no longer matches"
    )
    close.add_argument(
        "--override-blockers",
        metavar="REASON",
        help="close the account in spite of blockers, and record why",
    )
    close.add_argument("--yes", action="store_true", help="do not ask")
    commands["verify"].add_argument(
        "--identifiers",
        metavar="FILE",
        type=Path,
        required=True,
        help='one identifier per line; "-" reads standard input',
    )
    commands["closed"].add_argument(
        "--since", metavar="DATE", help="such as 2026, 2026-01 or 2026-01-31, in UTC"
    )
    commands["work"].add_argument(
        "--once", action="store_true", help="do the pending work once, then exit; required"
    )
    commands["work"].add_argument(
        "--limit", type=int, default=100, help="finalize at most this many account closures"
    )


def _add_earlier_options(commands: dict[str, CommandParser]) -> None:
    """Add the options of the commands for accounts that were closed earlier."""
    adopt, again = commands["adopt"], commands["erase-again"]
    again.add_argument("key", metavar="PK", nargs="?", help="the user's primary key")
    adopt.add_argument(
        "--before", metavar="DATE", required=True, help="such as 2026 or 2026-01-31, in UTC"
    )
    again.add_argument(
        "--before", metavar="DATE", help="all accounts that Efface closed before DATE, in UTC"
    )
    for command in (adopt, again):
        command.add_argument(
            "--actor", required=True, help='who asked, such as "ticket 8114"; never a name'
        )
        command.add_argument("--yes", action="store_true", help="do not ask")


def _add_django_options(command: CommandParser) -> None:
    """Accept Django's own options after the command, in addition to before it."""
    # SUPPRESS as the default keeps a value that was given before the command.
    hidden = {"default": SUPPRESS, "help": SUPPRESS}
    command.add_argument("-v", "--verbosity", type=int, choices=range(4), **hidden)
    for name in ("--settings", "--pythonpath"):
        command.add_argument(name, **hidden)
    for name in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        command.add_argument(name, action="store_true", **hidden)
