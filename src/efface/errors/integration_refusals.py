"""What an integration of Efface refuses: migrations, commands, ORM statements; E6xx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from efface.errors.database_refusals import AutocommitError
from efface.errors.policy_problems import PolicyError
from efface.errors.root import DOCUMENTATION, NOTHING_CHANGED, EffaceError


class ClosedAccountsError(EffaceError):
    """A migration would drop the column or table that records closed accounts."""

    code = "E601"

    def __init__(self, table: str, column: str, rows: int | None) -> None:
        """Keep where, and how many rows; None if a migration written as SQL can't look."""
        super().__init__()
        self.table, self.column, self.rows = table, column, rows

    def message(self) -> str:
        """Return what would be lost and what to do instead."""
        number = "1 closed account" if self.rows == 1 else f"{self.rows} closed accounts"
        found = "may record closed accounts" if self.rows is None else f"records {number}"
        return (
            f"The migration would drop {self.table}.{self.column}, which {found}. "
            f"{NOTHING_CHANGED} Leave the table and its columns in the database when you roll back "
            "the application, which ignores them."
        )


class SettingsError(EffaceError):
    """A setting, an option or a file is missing, or has a value that Efface can't use."""

    code = "E602"


class MissingExtraError(EffaceError):
    """A package that this feature needs is not installed."""

    code = "E603"

    def __init__(self, feature: str, extra: str) -> None:
        """Keep the *feature*, and the *extra* that installs what it needs."""
        super().__init__()
        self.feature, self.extra = feature, extra

    def message(self) -> str:
        """Return the install line."""
        return (
            f"{self.feature} needs packages that are not installed. Install them: "
            f'pip install "efface[{self.extra}]"'
        )


class UnfilteredStatementError(EffaceError):
    """Efface can't leave closed accounts out of this ORM statement, so it doesn't run it."""

    code = "E604"

    def __init__(self, table: str, reason: str, page: str = "visibility") -> None:
        """Keep the users' *table*, the *reason*, and the *page* that lists other ways."""
        super().__init__()
        self.table, self.reason, self.page = table, reason, page

    def message(self) -> str:
        """Return the reason, and where to find other ways to write the statement."""
        return (
            f"Efface can't leave the closed accounts of {self.table} out of this statement, "
            f"because {self.reason}. The statement did not run. Write it in a way that "
            f"{DOCUMENTATION}/reference/{self.page}.md lists, or include closed accounts: "
            "with include_closed(): ..."
        )


class ClosedMergeError(EffaceError):
    """``Session.merge`` would write old values into a closed account."""

    code = "E605"

    def __init__(self, table: str) -> None:
        """Keep the users' *table*; the key of the row is not repeated."""
        super().__init__()
        self.table = table

    def message(self) -> str:
        """Return what would have happened, and what to do."""
        return (
            f"merge() would write old values into a closed account of {self.table}, because the "
            f"object was loaded before the account was closed. {NOTHING_CHANGED} Discard the "
            "object. If you do mean to change the closed account: "
            "with include_closed(): session.merge(...)"
        )


class ClosedObjectError(EffaceError):
    """A Django object that was loaded earlier would change or delete a closed account."""

    code = "E610"

    def __init__(self, label: str, act: str) -> None:
        """Keep the model's *label* and the *act*; the key of the row is not repeated."""
        super().__init__()
        self.label, self.act = label, act

    def message(self) -> str:
        """Return what would have happened, and what to do."""
        return (
            f"{self.act} would change a closed account, because this {self.label} was loaded "
            f"before the account was closed. {NOTHING_CHANGED} Discard the object. If you do mean "
            f"to change the closed account, load it again in the block: with include_closed(): "
            f"...; object.{self.act}"
        )


class BlockerTypeError(EffaceError):
    """Your ``blockers`` function returned something other than blockers, or nothing."""

    code = "E609"

    def __init__(self, kind: str) -> None:
        """Keep the name of the type it returned; the value may be personal."""
        super().__init__()
        self.kind = kind

    def message(self) -> str:
        """Return what it returned, and what it has to return."""
        return (
            f"Your blockers function (BLOCKERS, or blockers=) returned a value of type {self.kind} "
            f"instead of Blocker objects. {NOTHING_CHANGED} Return a list such as "
            "[Blocker(text, href)], or an empty list if nothing blocks."
        )


class BlockerError(EffaceError, ValueError):
    """A ``Blocker`` has no text, or an address that the page can't link to."""

    code = "E612"


class AtomicBlockError(AutocommitError):
    """No Django transaction is open, so half a closure could remain."""

    def __init__(self, alias: str) -> None:
        """Keep the *alias* of the database."""
        super().__init__()
        self.alias = alias

    def message(self) -> str:
        """Return why Efface stops, and the block to write."""
        return (
            f"No transaction is open on the database {self.alias}, so Django would commit each "
            f"statement by itself. {NOTHING_CHANGED} Use a transaction:\n\n"
            f'      with transaction.atomic(using="{self.alias}"):\n'
            "          ..."
        )


class AutocommitOffError(EffaceError):
    """Django's autocommit is off, so no block would commit the closure."""

    code = "E608"

    def __init__(self, alias: str) -> None:
        """Keep the *alias* of the database."""
        super().__init__()
        self.alias = alias

    def message(self) -> str:
        """Return why Efface stops, and the line to change."""
        return (
            f"Autocommit is off for the database {self.alias}, so the end of transaction.atomic() "
            f'would not commit the closure. {NOTHING_CHANGED} Remove "AUTOCOMMIT": False from '
            f'DATABASES["{self.alias}"], and do not call transaction.set_autocommit(False) before '
            "you close an account."
        )


class RulesError(PolicyError):
    """The rules of Django models name something unknown, or two models claim one table."""

    code = "E606"

    def headline(self) -> str:
        """Return the first sentence."""
        places = ", ".join(dict.fromkeys(problem.place for problem in self.problems))
        return f"The rules do not fit the models: {places}."


class WrongDatabaseError(EffaceError):
    """The users are not in the database that you named."""

    code = "E607"

    def __init__(self, alias: str, label: str, known: Sequence[str]) -> None:
        """Keep the *alias*, the model's *label*, and the databases that have it."""
        super().__init__()
        self.alias, self.label, self.known = alias, label, tuple(known)

    def message(self) -> str:
        """Return where the users are."""
        found = ", ".join(self.known) or "none"
        return (
            f"{self.label} is not in the database {self.alias}. With your DATABASES and routers, "
            f"it is in: {found}. {NOTHING_CHANGED} Name that database with using=..., or with "
            "--database on the command line."
        )


class HiddenTablesError(EffaceError):
    """The schema that the connection has selected lacks tables with rows of its users."""

    code = "E616"

    def __init__(self, alias: str, labels: Sequence[str]) -> None:
        """Keep the *alias* and the *labels* of the models."""
        super().__init__()
        self.alias, self.labels = alias, tuple(labels)

    def message(self) -> str:
        """Return which tables would be left out."""
        return (
            f"In the schema that the connection {self.alias} has selected, the routers have no "
            f"{', '.join(self.labels)}. Rows in other schemas can belong to this user, and a "
            f"closure from here would leave them. {NOTHING_CHANGED} Efface closes the accounts of "
            "users whose rows are all in the same schema."
        )


class TooManyAttemptsError(EffaceError):
    """Raised by your ``check_password`` function once a user has tried too often."""

    code = "E611"

    def __init__(self, retry_after: int | None = None) -> None:
        """Keep *retry_after*: the seconds until the user may try again, or None."""
        super().__init__()
        self.retry_after = retry_after

    def message(self) -> str:
        """Return how long to wait."""
        wait = "later" if self.retry_after is None else f"in {self.retry_after} seconds"
        return f"The password was wrong too often. {NOTHING_CHANGED} Try again {wait}."


class SessionTargetError(EffaceError, TypeError):
    """``hide_closed`` can't hide closed accounts from the sessions of this object."""

    code = "E613"

    def message(self) -> str:
        """Return what it takes, and the lines to write."""
        return (
            "hide_closed takes a sessionmaker, an async_sessionmaker, a scoped_session, or your "
            f"own Session class. {NOTHING_CHANGED} Write:\n\n"
            "      Session = sessionmaker(engine)\n"
            "      hide_closed(Session, policy)"
        )


class FixtureError(EffaceError, ValueError):
    """`efface.testing` can't fill a table, or has nothing to search for."""

    code = "E614"


class RetainedRecordsError(EffaceError):
    """Deleting these rows would take records that the policy retains."""

    code = "E615"

    def __init__(self, table: str, records: Mapping[str, int]) -> None:
        """Keep the *table* whose rows are deleted, and how many *records* each table retains."""
        super().__init__()
        self.table, self.records = table, dict(records)

    def message(self) -> str:
        """Return which records would go, and the two ways to go on."""
        found = ", ".join(f"{table} ({rows})" for table, rows in self.records.items())
        return (
            f"Deleting rows of {self.table} would take records that the policy retains: {found}. "
            f"{NOTHING_CHANGED} Close the account instead:\n\n"
            '      close_account(user, actor="admin 7")\n\n'
            "  Or, if nothing has to be kept, as after spam, say why. The receipt records it:\n\n"
            '      with override_retention(actor="admin 7", reason="spam"):\n'
            "          user.delete()"
        )
