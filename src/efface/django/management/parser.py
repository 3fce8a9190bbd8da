"""The arguments of ``manage.py efface``, command by command."""

from __future__ import annotations

from argparse import SUPPRESS
from pathlib import Path

from django.core.management.base import CommandParser

COMMANDS = {
    "check": "Report every undecided column and every impossible action; exit 1 where there is "
    "one. With --database, the live schema is compared with the models as well.",
    "plan": "Print what closing the account would do; nothing is changed. The JSON can be kept, "
    "read by somebody, and given to: manage.py efface close KEY --plan FILE",
    "close": "Close the account, then make the second pass and search the database. On a terminal "
    "the plan is shown first, and you are asked. Exit 4 where the search still finds the person "
    "outside the records that are kept: the account is closed all the same.",
    "verify": "Search every text and JSON column for the identifiers in FILE; exit 4 where one is "
    "found. They are read from a file, because a command line stays in the history of the shell.",
    "closed": "List the closings that are recorded, oldest first.",
    "work": "Finalize unfinished account closures, oldest first, each in its own transaction. "
    "It needs --once. If one fails, the others continue, and it stays pending.",
}
"""What each command does, as its help says."""


def add_commands(parser: CommandParser) -> None:
    """Add each command with its arguments to *parser*."""
    # Not required here: argparse would name the place and not the commands.
    acts = parser.add_subparsers(dest="act", metavar="COMMAND", required=False)
    each = {
        name: acts.add_parser(name, help=said.split(";")[0].split(". ")[0], description=said)
        for name, said in COMMANDS.items()
    }
    for command in each.values():
        command.add_argument("--database", metavar="ALIAS", help="an alias in DATABASES")
        command.add_argument("--json", action="store_true", help="print JSON for programs")
        _add_those_of_django(command)
    for name in ("plan", "close", "verify"):
        each[name].add_argument("key", metavar="PK", help="the primary key of the person's row")
    _add_own(each)


def _add_own(each: dict[str, CommandParser]) -> None:
    """Add to *each* command what no other has."""
    check, close = each["check"], each["close"]
    check.add_argument("--strict", action="store_true", help="warnings are errors")
    check.add_argument(
        "--table", action="store_true", help="print every decision as a Markdown table"
    )
    each["plan"].add_argument(
        "--sql", action="store_true", help="print the statements for reviewers"
    )
    close.add_argument(
        "--actor", required=True, help='who asked, such as "ticket 8114"; never a name'
    )
    close.add_argument(
        "--plan", metavar="FILE", type=Path, help="refuse if this plan no longer fits"
    )
    close.add_argument("--yes", action="store_true", help="do not ask")
    each["verify"].add_argument(
        "--identifiers",
        metavar="FILE",
        type=Path,
        required=True,
        help='one identifier a line; "-" reads standard input',
    )
    each["closed"].add_argument(
        "--since", metavar="DATE", help="as 2026, 2026-01 or 2026-01-31, in UTC"
    )
    each["work"].add_argument(
        "--once", action="store_true", help="do the pending work once, then exit; required"
    )
    each["work"].add_argument(
        "--limit", type=int, default=100, help="finalize at most this many account closures"
    )


def _add_those_of_django(command: CommandParser) -> None:
    """Let Django's own options stand behind the command as well as before it."""
    hidden = {"default": SUPPRESS, "help": SUPPRESS}
    command.add_argument("-v", "--verbosity", type=int, choices=range(4), **hidden)
    for name in ("--settings", "--pythonpath"):
        command.add_argument(name, **hidden)
    for name in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        command.add_argument(name, action="store_true", **hidden)
