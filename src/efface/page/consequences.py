"""What a closing means to the person: what goes, what stays, and who else is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import UniqueConstraint

from efface.evidence.receipt import Receipt
from efface.page.language import Language, mark
from efface.plan.steps import Step
from efface.policy.actions import Basis, Placeholder, Retain
from efface.policy.period import Period
from efface.policy.rules import Policy

Words = Mapping[str, str] | Callable[[str], Mapping[str, str]]
"""Names of tables, columns and reasons for people; for several languages by their code."""

_BECAUSE = {
    Basis.CONTRACT.value: mark("because our contract with you requires it: {reason}"),
    Basis.LEGAL_OBLIGATION.value: mark("because the law requires it: {reason}"),
    Basis.PUBLIC_INTEREST.value: mark("because it is in the public interest: {reason}"),
    Basis.LEGITIMATE_INTEREST.value: mark("because we have a legitimate interest in it: {reason}"),
    Basis.LEGAL_CLAIMS.value: mark("because it may be needed for legal claims: {reason}"),
}

_STARTS = {
    "closing": mark("{what}: {period} from the closing"),
    "calendar-year-end": mark("{what}: {period} from the end of the year of the closing"),
}
_FROM_COLUMN = mark("{what}: {period} from the date in {column}")
_PERIODS = (
    (mark("one year"), mark("{number} years")),
    (mark("one month"), mark("{number} months")),
    (mark("one day"), mark("{number} days")),
)

_EMPTY = mark("an empty entry without your data, so that other records stay whole")


@dataclass(frozen=True)
class Kept:
    """One line about what stays, and the last day it is kept; None where it stays for good."""

    text: str
    until: date | None = None


@dataclass(frozen=True)
class Consequences:
    """Short lines for the page.

    ``names`` says of each name or address whether somebody may use it again; ``told`` are the
    others who had the person's data and are told.
    """

    goes: tuple[str, ...]
    stays: tuple[Kept, ...]
    names: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wording:
    """How a policy is put into the words of one language.

    *words* gives tables and columns (``"users_tokens"``, ``"posts.body"``) and reasons (``"tax
    law"``) the names people know; without one, the name itself is spelled with spaces.
    """

    policy: Policy
    words: Mapping[str, str]
    language: Language
    recipients: Collection[str] = ()

    def consequences(self, steps: Collection[Step]) -> Consequences:
        """Return what *steps* mean to the person."""
        goes: list[str] = []
        stays: list[Kept] = []
        for step in steps:
            reached = step.rows if step.reached is None else step.reached
            if not reached:
                continue
            what = f"{self._word(step.table)} ({reached})"
            if step.action == "revoke":
                every = mark("every signed-in device and every link we have mailed you: {what}")
                goes.append(self._say(every, what=what))
            elif self._is_own(step):
                goes.append(self._own(step))
                if step.action == "redact":
                    stays.append(Kept(self._say(_EMPTY)))
            elif step.action == "delete":
                goes.append(what)
            else:
                stays.append(self._kept(step, what))
        told = tuple(self.recipients)
        return Consequences(tuple(goes), tuple(stays), tuple(self._names()), told)

    def kept(self, steps: Collection[Step]) -> tuple[Kept, ...]:
        """Return what was kept with the person's values, without numbers: for the farewell."""
        found = (step for step in steps if step.until is not None and step.reached)
        return tuple(self._kept(step, self._word(step.table)) for step in found)

    def terms(self) -> tuple[str, ...]:
        """Return what the policy keeps of anybody, for how long and why: about nobody's data."""
        terms = (
            self._term(rule.name, leaving.action)
            for rule in self.policy.tables.values()
            for leaving in rule.leavings
            if isinstance(leaving.action, Retain)
        )
        # Two links to the same rows may keep them alike.
        return tuple(dict.fromkeys(terms))

    def record(self, receipt: Receipt) -> dict[str, Any]:
        """Return what may be said of a closing to whoever has its number."""
        # The rows of a batch are those of several people, and say nothing of one.
        steps = receipt.steps if receipt.together == 1 else ()
        return {
            "reference": receipt.reference,
            "closed_at": receipt.closed_at.isoformat(),
            "closed_on": self.language.date(receipt.closed_at.date()),
            "kept": self.kept(steps),
            "told": tuple(self.recipients),
        }

    def _is_own(self, step: Step) -> bool:
        # A table of people may also refer to people; only its last step is the person's own row.
        return step.table == self.policy.subject_table.fullname and not step.through

    def _own(self, step: Step) -> str:
        if step.action == "delete":
            return self._say(mark("your account"))
        return self._say(mark("your account: {columns}"), columns=self._columns(step))

    def _kept(self, step: Step, what: str) -> Kept:
        if step.until is None:
            if not step.columns:
                return Kept(what)
            without = mark("{what}, without your data in {columns}")
            return Kept(self._say(without, what=what, columns=self._columns(step)))
        until = self._say(
            mark("{what} until {date}"), what=what, date=self.language.date(step.until)
        )
        basis, _, because = (step.because or "").partition(": ")
        if basis in _BECAUSE:
            reason = self._say(_BECAUSE[basis], reason=self.words.get(because, because))
            until = f"{until}, {reason}"
        return Kept(until, step.until)

    def _term(self, table: str, action: Retain) -> str:
        column = self._word(action.start, table)
        start = _STARTS.get(action.start, _FROM_COLUMN)
        period = self._period(Period.parse(action.period))
        line = self._say(start, what=self._word(table), period=period, column=column)
        reason = self.words.get(action.because, action.because)
        return f"{line}, {self._say(_BECAUSE[action.basis.value], reason=reason)}"

    def _period(self, period: Period) -> str:
        numbers = (*divmod(period.months, 12), period.days)
        return ", ".join(
            self._say(one) if number == 1 else self._say(many, number=number)
            for number, (one, many) in zip(numbers, _PERIODS, strict=True)
            if number
        )

    def _names(self) -> list[str]:
        """Return for each unique name of the person whether it becomes free."""
        rule, lines = self.policy.subject_rule, []
        actions = {column.name: column.action for column in rule.personal_columns()}
        for name in dict.fromkeys((*self.policy.subject.identifiers, *actions)):
            action = actions.get(name)
            if self.policy.removes_subject or isinstance(action, Placeholder):
                free = mark("Your {name} becomes free: anybody may open a new account with it.")
            elif action is None and name in _unique_columns(self.policy):
                free = mark("Your {name} stays taken: nobody can open a new account with it.")
            else:
                continue
            lines.append(self._say(free, name=self._word(name, rule.name)))
        return lines

    def _columns(self, step: Step) -> str:
        return ", ".join(self._word(column, step.table) for column in step.columns)

    def _word(self, name: str, table: str | None = None) -> str:
        known = f"{table}.{name}" if table else name
        return self.words.get(known, name.replace("_", " "))

    def _say(self, text: str, **values: object) -> str:
        return self.language.say(text, **values)


def words_in(words: Words | None, language: Language) -> Mapping[str, str]:
    """Return the host's words for one language."""
    if words is None:
        return {}
    return words(language.code) if callable(words) else words


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `Wording.record` as JSON data."""
    return {**record, "kept": [plain_line(line) for line in record["kept"]]}


def plain_line(line: Kept) -> dict[str, Any]:
    """Return one line about what stays as JSON data."""
    return {"text": line.text, "until": line.until.isoformat() if line.until else None}


def _unique_columns(policy: Policy) -> set[str]:
    table = policy.subject_table
    alone = [
        *(c.columns for c in table.constraints if isinstance(c, UniqueConstraint)),
        *(index.columns for index in table.indexes if index.unique),
    ]
    return {columns[0].name for columns in alone if len(columns) == 1}
