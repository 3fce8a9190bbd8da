"""What can stop a closure, before or while it runs; E4xx and E5xx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from efface.errors.root import NOTHING_CHANGED, EffaceError

ADOPT = '\n\n      eraser.adopt(session, pk, actor="...")'


class UnknownSubjectError(EffaceError):
    """The users' table has no row with this primary key."""

    code = "E401"

    def __init__(self, table: str, people: int = 1) -> None:
        """Name the *table*, and for how many *people*; keys are the caller's, not repeated."""
        super().__init__()
        self.table, self.people = table, people

    def message(self) -> str:
        """Return what Efface looked for, and what to pass."""
        if self.people > 1:
            return (
                f"The table {self.table} has no row for {self.people} of the primary keys that "
                f"you passed. {NOTHING_CHANGED} Pass primary keys of existing rows only."
            )
        return (
            f"The table {self.table} has no row with the primary key that you passed. "
            f"{NOTHING_CHANGED} Pass the primary key of an existing row."
        )


class SubjectKeyError(EffaceError):
    """The key has a different type, or number of parts, than the users' primary key."""

    code = "E406"
    advice = "Convert the key first."

    def __init__(self, table: str, expected: str, got: str) -> None:
        """Keep the types; the key itself is not repeated."""
        super().__init__()
        self.table, self.expected, self.got = table, expected, got

    def message(self) -> str:
        """Return both types."""
        return (
            f"The primary key of {self.table} is {self.expected}, but the key that you passed is "
            f"{self.got}. {NOTHING_CHANGED} {self.advice}"
        )


class StalePlanError(EffaceError):
    """The database has changed since the plan was made."""

    code = "E402"

    def __init__(self, table: str, planned: int, found: int) -> None:
        """Keep the first *table* that differs, and both counts."""
        super().__init__()
        self.table, self.planned, self.found = table, planned, found

    def message(self) -> str:
        """Return which table differs, with both counts."""
        differs = (
            f"it counts {_rows(self.planned)} in {self.table}, but the database has {self.found} "
            "now"
        )
        if self.planned == self.found:
            differs = f"the step for {self.table} is a different one now"
        return (
            f"The plan no longer matches the database: {differs}. {NOTHING_CHANGED} "
            "Make a new plan, and read it before you pass it."
        )


class ForeignPlanError(EffaceError):
    """The plan was made for a different user, policy or secret."""

    code = "E403"

    def message(self) -> str:
        """Return what differs, and what to do."""
        return (
            "The plan that you passed was made for a different user, with a different policy, or "
            f"with a different secret. {NOTHING_CHANGED} Make a plan for this user with this "
            "eraser, and read it before you pass it."
        )


class UnrecordedClosingError(EffaceError):
    """The row is marked as closed, but Efface has no record of closing the account."""

    code = "E404"
    advice = ADOPT

    def __init__(self, table: str, deleted_at: str) -> None:
        """Name the *table* and its column *deleted_at*."""
        super().__init__()
        self.table, self.deleted_at = table, deleted_at

    def message(self) -> str:
        """Return the state and the line that adopts the row."""
        return (
            f"This row of {self.table} has {self.deleted_at} set, but Efface has no record of "
            "closing this account. Either your application set the column, and the personal "
            "values may still be there, or the account was closed with a different secret. "
            f"{NOTHING_CHANGED} If your application set it, erase the values and keep the date:"
            f"{self.advice}"
        )


class NotClosedError(EffaceError):
    """The account is open, so it can't be erased again."""

    code = "E424"

    def __init__(self, table: str) -> None:
        """Keep the users' *table*."""
        super().__init__()
        self.table = table

    def message(self) -> str:
        """Return that the account is open."""
        return (
            f"This account of {self.table} is open, so there is nothing to erase again. "
            f"{NOTHING_CHANGED} Close it: eraser.close_account(bind, pk, actor=...)"
        )


class BlockedError(EffaceError):
    """Your ``blockers`` function gave a reason why the account can't be closed now."""

    code = "E413"

    def __init__(self, reasons: Iterable[Any], keys: Iterable[Any] = ()) -> None:
        """Keep the *reasons* as the application gave them, and the *keys* of the accounts.

        The reasons may say personal things.
        """
        super().__init__()
        self.reasons, self.keys = tuple(reasons), tuple(keys)

    def message(self) -> str:
        """Return how many reasons there are; their text is for the user alone."""
        count = len(self.reasons)
        number = "1 reason" if count == 1 else f"{count} reasons"
        return (
            f"Your blockers function gave {number} why this account can't be closed yet. "
            f"{NOTHING_CHANGED} Show the user what to do first: it is in this error's attribute "
            "reasons. To close the account all the same, give a reason that the receipt records: "
            'override_blockers="ticket 8114", or --override-blockers "ticket 8114"'
        )


class ActorIdentifiesUserError(EffaceError):
    """The actor contains the email address of the user whose account is being closed."""

    code = "E417"

    def message(self) -> str:
        """Return why Efface stops, and what to pass instead; the address is not repeated."""
        return (
            "The actor contains the email address of the user whose account you are closing, and "
            f"Efface would keep it. {NOTHING_CHANGED} Say who asked without naming the user: "
            'actor="self-service", or --actor "ticket 8114"'
        )


class ActorLengthError(EffaceError, ValueError):
    """The actor is not a text, is empty or too long, or has control characters."""

    code = "E418"

    def __init__(self, longest: int, name: str = "actor") -> None:
        """Keep the *name* of the argument; what was passed is not repeated."""
        super().__init__()
        self.longest, self.name = longest, name

    def message(self) -> str:
        """Return the limits and an example."""
        return (
            f"{self.name} must be one line of text, of 1 to {self.longest} characters. "
            f'{NOTHING_CHANGED} Write, for example: {self.name}="ticket 8114"'
        )


class BatchError(EffaceError, ValueError):
    """These accounts can't be closed, or finalized, as one batch."""

    code = "E419"

    @classmethod
    def too_large(cls, most: int) -> BatchError:
        """Return the error for more than *most* keys, or keys of several columns."""
        return cls(
            f"close_accounts takes at most {most} primary keys, each of one column. "
            f"{NOTHING_CHANGED} Close fewer accounts in one call, or one after the other: "
            'eraser.close_account(session, pk, actor="...")'
        )

    @classmethod
    def forgotten(cls) -> BatchError:
        """Return the error for a batch that another process closed."""
        return cls(
            "Only the process that closed a batch can finalize it as a whole, because it alone "
            f"remembers the identifiers. {NOTHING_CHANGED} Finalize each receipt by itself: "
            "for receipt in batch.receipts: eraser.finalize(session, receipt)"
        )


class BindError(EffaceError, TypeError):
    """The first argument is neither a ``Session`` nor a ``Connection``."""

    code = "E420"

    def __init__(self, kind: str, line: str) -> None:
        """Keep the *kind* of what was passed, and the *line* to write instead."""
        super().__init__()
        self.kind, self.line = kind, line

    def message(self) -> str:
        """Return what was passed, and the line to write."""
        return (
            f"The first argument must be a Session or a Connection, and {self.kind} is neither. "
            f"{NOTHING_CHANGED} Write:\n\n      {self.line}"
        )


class ForeignClosingError(EffaceError):
    """The receipt is for an account in a different table than the policy's users."""

    code = "E414"

    def __init__(self, table: str, expected: str) -> None:
        """Keep the *table* of the receipt and the one of the policy."""
        super().__init__()
        self.table, self.expected = table, expected

    def message(self) -> str:
        """Return both tables, and which eraser fits."""
        return (
            f"This receipt is for an account in {self.table}, but this eraser closes accounts in "
            f"{self.expected}. {NOTHING_CHANGED} Finalize it with the eraser for {self.table}."
        )


class NotFinalizedError(EffaceError):
    """An unexpected error stopped the post-commit pass for one account; the others continued."""

    code = "E415"
    advice = " eraser.finalize(bind, eraser.get_receipt(bind, reference))"

    def __init__(self, kind: str) -> None:
        """Keep the *kind* of what was raised; its text may quote a row."""
        super().__init__()
        self.kind = kind

    def message(self) -> str:
        """Return what was raised, and how to see more."""
        return (
            f"An unexpected error ({self.kind}) stopped the post-commit pass and the search for "
            f"this account closure, so it stays pending. {NOTHING_CHANGED} To see the traceback:"
            f"{self.advice}"
        )


class UnrecognizedClosingError(EffaceError):
    """Efface can't tell which row belongs to this account closure."""

    code = "E416"
    advice = ADOPT

    def __init__(self, table: str, rows: int) -> None:
        """Keep the *table*, and how many *rows* of that moment belong to no recorded closure."""
        super().__init__()
        self.table, self.rows = table, rows

    def message(self) -> str:
        """Return what Efface found instead, and the two possible reasons."""
        rows = "1 row" if self.rows == 1 else f"{self.rows} rows"
        return (
            f"Efface can't tell which row of {self.table} belongs to this account closure: {rows} "
            "closed at the same moment can't be matched to a receipt with this eraser's secret. "
            f"{NOTHING_CHANGED} If the secret has changed, finalize with the secret that closed "
            "the account. If your application marked rows itself, adopt those rows first:"
            f"{self.advice}"
        )


class MissingTablesError(EffaceError):
    """The tables that Efface owns are not in this database."""

    code = "E501"
    advice = (
        "Create it in a migration, or directly:\n\n"
        "      op.create_efface_tables()        # in an Alembic migration, after: "
        "import efface.alembic\n"
        "      eraser.create_tables(engine)     # without migrations"
    )

    def __init__(self, tables: Sequence[str]) -> None:
        """Keep the names of the missing *tables*."""
        super().__init__()
        self.tables = tuple(tables)

    def message(self) -> str:
        """Return which tables are missing and the line that creates them."""
        names = ", ".join(self.tables)
        verb = "is" if len(self.tables) == 1 else "are"
        return (
            f"Efface needs {names}, which {verb} not in this database. {NOTHING_CHANGED} "
            f"{self.advice}"
        )


class WeakSecretError(EffaceError):
    """The secret is so short that fingerprints could be guessed."""

    code = "E502"

    def message(self) -> str:
        """Return the rule and a line that makes a secret."""
        return (
            "The secret of an Eraser must have at least 16 bytes. "
            f"{NOTHING_CHANGED} Make one, and keep it with your other secrets:\n\n"
            '      python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
