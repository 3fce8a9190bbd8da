"""Tell users what is deleted with their account, what is kept, and who is notified."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import UniqueConstraint

from efface.evidence.receipt import Receipt
from efface.page.translations import Language, translatable
from efface.plan.plan import Step
from efface.policy.actions import Basis, Placeholder, Retain
from efface.policy.policy import Policy
from efface.policy.retention_period import Period

Labels = Mapping[str, str] | Callable[[str], Mapping[str, str]]
"""Names of tables, columns and reasons, as users know them, or a function that returns them for a
language code."""

_BECAUSE = {
    Basis.CONTRACT.value: translatable("because our contract with you requires it: {reason}"),
    Basis.LEGAL_OBLIGATION.value: translatable("because the law requires it: {reason}"),
    Basis.PUBLIC_INTEREST.value: translatable("because it is in the public interest: {reason}"),
    Basis.LEGITIMATE_INTEREST.value: translatable(
        "because we have a legitimate interest in it: {reason}"
    ),
    Basis.LEGAL_CLAIMS.value: translatable("because it may be needed for legal claims: {reason}"),
}

# "At least", because Efface keeps these rows and does not delete them when the period is over.
_STARTS = {
    "closing": translatable("{what}: at least {period} after the account is deleted"),
    "calendar-year-end": translatable(
        "{what}: at least {period} after the end of the year in which the account is deleted"
    ),
}
_FROM_COLUMN = translatable("{what}: at least {period} after the date in “{column}”")
_UNTIL = translatable("{what} until at least {date}")
_PERIODS = (
    (translatable("one year"), translatable("{number} years")),
    (translatable("one month"), translatable("{number} months")),
    (translatable("one day"), translatable("{number} days")),
)

_BLANK_PROFILE = translatable("a blank profile, so posts and orders still have an author")
_LOGINS = translatable("Logins and access: {what}")
_FREE = translatable("Your {name} can be used for a new account.")
_TAKEN = translatable("Your {name} can't be used for a new account.")


@dataclass(frozen=True)
class Kept:
    """One line about what is kept.

    Attributes:
        text: The line, in the user's language.
        until: The last day of the retention period, or None without one. Efface does not delete
            the rows when the period is over.
    """

    text: str
    until: date | None = None


@dataclass(frozen=True)
class Consequences:
    """Short lines for the page, in the user's language.

    Attributes:
        deleted: What is deleted.
        kept: What is kept.
        names: For each unique name or address, whether a new account can use it.
        notified: Who else had the data and is notified.
    """

    deleted: tuple[str, ...]
    kept: tuple[Kept, ...]
    names: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyTexts:
    """Describe a policy in one language.

    Attributes:
        policy: The policy.
        labels: Names for tables and columns (``"users_tokens"``, ``"posts.body"``) and reasons
            (``"tax law"``). Without a label, the name is written with spaces.
        language: The language of the sentences.
        recipients: Who else had the data and is notified.
    """

    policy: Policy
    labels: Mapping[str, str]
    language: Language
    recipients: Collection[str] = ()

    def consequences(self, steps: Collection[Step]) -> Consequences:
        """Return what *steps* mean to the user."""
        deleted: list[str] = []
        kept: list[Kept] = []
        for step in steps:
            reached = step.rows if step.reached is None else step.reached
            if not reached:
                continue
            what = f"{self._label(step.table)} ({reached})"
            if step.action == "revoke":
                deleted.append(self._say(_LOGINS, what=what))
            elif self._is_own(step):
                deleted.append(self._own(step))
                if step.action == "redact":
                    kept.append(Kept(self._say(_BLANK_PROFILE)))
            elif step.action == "delete":
                deleted.append(what)
            else:
                kept.append(self._kept(step, what))
        notified = tuple(self.recipients)
        return Consequences(tuple(deleted), tuple(kept), tuple(self._names()), notified)

    def kept(self, steps: Collection[Step]) -> tuple[Kept, ...]:
        """Return what was kept under a retention rule, without numbers of rows."""
        found = (step for step in steps if step.until is not None and step.reached)
        return tuple(self._kept(step, self._label(step.table)) for step in found)

    def retention_terms(self) -> tuple[str, ...]:
        """Return what the policy keeps from every account, for how long and why."""
        terms = (
            self._term(table_rules.name, leaving.action)
            for table_rules in self.policy.tables.values()
            for leaving in table_rules.close_rules
            if isinstance(leaving.action, Retain)
        )
        # Two relationships to the same rows may have the same rule.
        return tuple(dict.fromkeys(terms))

    def record(self, receipt: Receipt) -> dict[str, Any]:
        """Return what the goodbye page shows to everyone who has the confirmation number."""
        # The row counts of a batch belong to several users, so they say nothing about one of them.
        steps = receipt.steps if receipt.together == 1 else ()
        return {
            "reference": receipt.reference,
            "closed_at": receipt.closed_at.isoformat(),
            "closed_on": self.language.date(receipt.closed_at.date()),
            "kept": self.kept(steps),
            "notified": tuple(self.recipients),
        }

    def _is_own(self, step: Step) -> bool:
        # The users' table may refer to itself. Only its last step is the user's own row.
        return step.table == self.policy.subject_table.fullname and not step.through

    def _own(self, step: Step) -> str:
        if step.action == "delete":
            return self._say(translatable("your account"))
        return self._say(translatable("your account: {columns}"), columns=self._columns(step))

    def _kept(self, step: Step, what: str) -> Kept:
        if step.until is None:
            if not step.columns:
                return Kept(what)
            without = translatable("{what}, without your data in {columns}")
            return Kept(self._say(without, what=what, columns=self._columns(step)))
        until = self._say(_UNTIL, what=what, date=self.language.date(step.until))
        basis, _, reason = (step.reason or "").partition(": ")
        if basis in _BECAUSE:
            reason = self._say(_BECAUSE[basis], reason=self.labels.get(reason, reason))
            until = f"{until}, {reason}"
        return Kept(until, step.until)

    def _term(self, table: str, action: Retain) -> str:
        column = self._label(action.start, table)
        start = _STARTS.get(action.start, _FROM_COLUMN)
        period = self._period(Period.parse(action.period))
        line = self._say(start, what=self._label(table), period=period, column=column)
        reason = self.labels.get(action.reason, action.reason)
        return f"{line}, {self._say(_BECAUSE[action.basis.value], reason=reason)}"

    def _period(self, period: Period) -> str:
        numbers = (*divmod(period.months, 12), period.days)
        return ", ".join(
            self._say(one) if number == 1 else self._say(many, number=number)
            for number, (one, many) in zip(numbers, _PERIODS, strict=True)
            if number
        )

    def _names(self) -> list[str]:
        """Return for each unique name or address whether a new account can use it."""
        table_rules, lines = self.policy.subject_table_rules, []
        actions = {column.name: column.action for column in table_rules.personal_columns()}
        for name in dict.fromkeys((*self.policy.subject.identifiers, *actions)):
            action = actions.get(name)
            if self.policy.removes_subject or isinstance(action, Placeholder):
                text = _FREE
            elif action is None and name in _unique_columns(self.policy):
                text = _TAKEN
            else:
                continue
            lines.append(self._say(text, name=self._label(name, table_rules.name)))
        return lines

    def _columns(self, step: Step) -> str:
        return ", ".join(self._label(column, step.table) for column in step.columns)

    def _label(self, name: str, table: str | None = None) -> str:
        known = f"{table}.{name}" if table else name
        return self.labels.get(known, name.replace("_", " "))

    def _say(self, text: str, **values: object) -> str:
        return self.language.say(text, **values)


def labels_in(labels: Labels | None, language: Language) -> Mapping[str, str]:
    """Return the application's labels for one language."""
    if labels is None:
        return {}
    return labels(language.code) if callable(labels) else labels


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `PolicyTexts.record` as JSON data."""
    return {**record, "kept": [plain_line(line) for line in record["kept"]]}


def plain_line(line: Kept) -> dict[str, Any]:
    """Return one line about what is kept as JSON data."""
    return {"text": line.text, "until": line.until.isoformat() if line.until else None}


def _unique_columns(policy: Policy) -> set[str]:
    table = policy.subject_table
    alone = [
        *(c.columns for c in table.constraints if isinstance(c, UniqueConstraint)),
        *(index.columns for index in table.indexes if index.unique),
    ]
    return {columns[0].name for columns in alone if len(columns) == 1}
