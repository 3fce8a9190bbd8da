"""What can stop a closing, before or while it runs; E4xx and E5xx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from efface.errors.root import NOTHING_CHANGED, EffaceError

ADOPT = '\n\n      eraser.adopt(session, subject, actor="...")'


class UnknownSubjectError(EffaceError):
    """No row of the subject's table has this key."""

    code = "E401"

    def __init__(self, table: str, people: int = 1) -> None:
        """Name the *table*, and for how many *people*; keys are the caller's, not repeated."""
        super().__init__()
        self.table, self.people = table, people

    def message(self) -> str:
        """Return what was looked for and that nothing happened."""
        if self.people > 1:
            return f"{self.people} of these keys have no row in {self.table}. {NOTHING_CHANGED}"
        return f"No row of {self.table} has this key. {NOTHING_CHANGED}"


class SubjectKeyError(EffaceError):
    """The key has not the type, or not the number of parts, of the subject's primary key."""

    code = "E406"
    advice = "Convert the key first."

    def __init__(self, table: str, expected: str, got: str) -> None:
        """Keep the types; the key itself is not repeated."""
        super().__init__()
        self.table, self.expected, self.got = table, expected, got

    def message(self) -> str:
        """Return both types."""
        return (
            f"The primary key of {self.table} is {self.expected}, and this key is {self.got}. "
            f"{NOTHING_CHANGED} {self.advice}"
        )


class StalePlanError(EffaceError):
    """The database or the policy has moved on since the plan was made."""

    code = "E402"

    def __init__(self, table: str, planned: int, found: int) -> None:
        """Keep the first *table* that differs, and both counts."""
        super().__init__()
        self.table, self.planned, self.found = table, planned, found

    def message(self) -> str:
        """Return which table moved, by counts."""
        return (
            f"The plan no longer fits: {self.table} had {self.planned} rows to change, "
            f"and has {self.found} now. {NOTHING_CHANGED} Make a new plan and read it again."
        )


class ForeignPlanError(EffaceError):
    """The plan was made for another subject or under another policy."""

    code = "E403"

    def message(self) -> str:
        """Return what does not fit."""
        return (
            "The plan belongs to another subject or another policy. "
            f"{NOTHING_CHANGED} Make a new plan with this eraser."
        )


class UnrecordedClosingError(EffaceError):
    """The row is marked as closed, but Efface never closed it."""

    code = "E404"
    advice = ADOPT

    def __init__(self, table: str, deleted_at: str) -> None:
        """Name the *table* and its *tombstone* column."""
        super().__init__()
        self.table, self.deleted_at = table, deleted_at

    def message(self) -> str:
        """Return the state and the line that adopts the row."""
        return (
            f"This row of {self.table} has {self.deleted_at} set, but no closing of ours belongs "
            f"to it: it was marked before Efface came, so its values may still be there. "
            f"{NOTHING_CHANGED} To erase it and keep the date:{self.advice}"
        )


class BlockedError(EffaceError):
    """The application has said, under the lock, that this account cannot be closed now."""

    code = "E413"

    def __init__(self, reasons: Iterable[Any]) -> None:
        """Keep the *reasons* as the application gave them; they may name things of the person."""
        super().__init__()
        self.reasons = tuple(reasons)

    def message(self) -> str:
        """Return how many reasons there are; what they say is for the person alone."""
        count = len(self.reasons)
        reasons = "1 reason that has" if count == 1 else f"{count} reasons that have"
        return f"The application has {reasons} to be settled before. {NOTHING_CHANGED}"


class ActorIdentifiesUserError(EffaceError):
    """What is kept of who asked holds the address of whoever leaves."""

    code = "E417"

    def message(self) -> str:
        """Return why we stop, and what to say instead; the address is not repeated."""
        return (
            "The actor holds an address of the person whose account is to be closed, and it would "
            f"be kept with the closing. {NOTHING_CHANGED} Say who asked without a name: "
            'actor="self-service", or --actor "ticket 8114"'
        )


class ForeignClosingError(EffaceError):
    """The closing is of a table of people that is not the one of this policy."""

    code = "E414"

    def __init__(self, table: str, expected: str) -> None:
        """Keep the *table* of the closing and the one of the policy."""
        super().__init__()
        self.table, self.expected = table, expected

    def message(self) -> str:
        """Return both tables, and which eraser fits."""
        return (
            f"This closing is of {self.table}, and the people of this policy are in "
            f"{self.expected}. {NOTHING_CHANGED} Settle it with an eraser for {self.table}."
        )


class NotFinalizedError(EffaceError):
    """Something unforeseen happened while one closing was settled; the others went on."""

    code = "E415"
    advice = " eraser.finalize(bind, eraser.get_receipt(bind, reference))"

    def __init__(self, kind: str) -> None:
        """Keep the *kind* of what was raised; its text may quote a row."""
        super().__init__()
        self.kind = kind

    def message(self) -> str:
        """Return what was raised, and how to see more."""
        return (
            f"Something unforeseen was raised while this closing was settled ({self.kind}). "
            f"{NOTHING_CHANGED} To see where:{self.advice}"
        )


class UnrecognizedClosingError(EffaceError):
    """The row of a closed account may be there, but its key does not lead to this closing."""

    code = "E416"
    advice = ADOPT

    def __init__(self, table: str, rows: int) -> None:
        """Keep the *table*, and how many *rows* of that moment belong to no closing on record."""
        super().__init__()
        self.table, self.rows = table, rows

    def message(self) -> str:
        """Return what was found instead, and what it may come from."""
        rows = "1 row is" if self.rows == 1 else f"{self.rows} rows are"
        return (
            f"Whose closing this is cannot be told: {rows} marked in {self.table} with its moment "
            f"and on record under this key of the eraser for no closing. {NOTHING_CHANGED} If the "
            "key has changed, settle with the one that the account was closed with; if rows were "
            f"marked by hand, adopt them first:{self.advice}"
        )


class MissingTablesError(EffaceError):
    """The tables that Efface owns are not in this database."""

    code = "E501"
    advice = (
        "Make it in a migration, or at once:\n\n"
        "      op.create_efface_tables()        # in an Alembic migration, after: "
        "import efface.alembic\n"
        "      eraser.create_tables(engine)     # without migrations"
    )

    def __init__(self, tables: Sequence[str]) -> None:
        """Keep the names of the missing *tables*."""
        super().__init__()
        self.tables = tuple(tables)

    def message(self) -> str:
        """Return which tables are missing and the line that makes them."""
        names = ", ".join(self.tables)
        verb = "is" if len(self.tables) == 1 else "are"
        return f"{names} {verb} not in this database. {NOTHING_CHANGED} {self.advice}"


class WeakSecretError(EffaceError):
    """The key is too short to keep fingerprints apart from guesses."""

    code = "E502"

    def message(self) -> str:
        """Return the rule and a line that makes a key."""
        return (
            "The key of an Eraser has at least 16 bytes. Make one, keep it with your secrets:\n\n"
            '      python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
