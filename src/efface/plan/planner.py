"""policy + graph + counts → Plan: reads the database and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from efface.errors import UnknownSubjectError
from efface.plan.driver import Driver
from efface.plan.mentions import Needles
from efface.plan.program import Program, TableProgram
from efface.plan.steps import Plan, Step
from efface.policy.actions import Delete, Placeholder, Redact, ReplaceMentions, Retain, Revoke
from efface.policy.period import Period


@dataclass(frozen=True, repr=False)
class Captured:
    """The person while a closing runs: values that links need, and what to look for.

    Lives in memory only, and shows nothing of itself.
    """

    values: Mapping[str, Any]
    needles: Needles
    closed_at: datetime | None

    def __repr__(self) -> str:
        """Return nothing personal."""
        return "<Captured>"


@dataclass
class Count:
    """How many rows of one table were, or would be, removed, redacted and kept."""

    removed: int = 0
    redacted: int | None = None
    changed: int = 0
    kept: list[tuple[Retain, int, Any]] = field(default_factory=list)


def key_values(program: Program, key: tuple[Any, ...]) -> dict[str, Any]:
    """Return the parameters that find the subject's row."""
    return {f"subject_{n}": v for n, v in zip(program.key_names, key, strict=True)}


def capture(
    driver: Driver, program: Program, row: tuple[Any, ...], *, with_needles: bool = True
) -> Captured:
    """Return what the rest of a closing needs to know from the subject's *row*."""
    read = dict(zip(program.read_columns, row, strict=True))
    values: dict[str, Any] = {}
    columns = program.policy.subject_rule.personal_columns()
    for name, value in read.items():
        values[f"subject_{name}"] = value
        values[f"match_{name}"] = _linkable(value, columns.get(name))
    found = [read[name] for name in program.policy.subject.identifiers]
    if with_needles:
        for table in program.tables:
            for statement in table.captures:
                found += [v for each in driver.rows(statement, values) for v in each]
    made = [m.action for m in columns.values() if isinstance(m.action, Placeholder)]
    needles = Needles(v for v in found if not any(action.made(v) for action in made))
    closed_at = read.get(program.tombstone) if program.tombstone else None
    return Captured(values, needles, aware(closed_at))


def _linkable(value: Any, mark: Any) -> Any:
    """Return *value* unless it is one that matches nothing: blank, or a placeholder."""
    if isinstance(value, str) and not value.strip():
        return None
    if mark is not None and isinstance(mark.action, Placeholder) and mark.action.made(value):
        return None
    return value


def aware(moment: datetime | None) -> datetime | None:
    """Return *moment* as aware UTC; drivers without time zones hand it over naive."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def mentions(
    driver: Driver, table: TableProgram, person: Captured, *, locked: bool = False
) -> list[tuple[tuple[Any, ...], bool, list[Any]]]:
    """Return key, whether it is unfinished, and new texts of each row that names the person."""
    if not table.mentions or not person.needles:
        return []
    patterns = person.needles.patterns
    # Padded to a power of two, so that few statements are compiled.
    size = 1 << (len(patterns) - 1).bit_length()
    padded = [*patterns, *[patterns[-1]] * (size - len(patterns))]
    values = {**person.values, **{f"pattern_{i}": p for i, p in enumerate(padded)}}
    edits = []
    width = len(table.key)
    for row in driver.rows(table.candidates(size, locked=locked), values):
        key, unfinished, texts = row[:width], bool(row[width]), row[width + 1 :]
        new = [
            _edited(person.needles, text, action.replacement, name in table.documents)
            for text, (name, action) in zip(texts, table.mentions.items(), strict=True)
        ]
        if new != list(texts):
            edits.append((key, unfinished, new))
    return edits


def _edited(needles: Needles, text: str | None, replacement: str, document: bool) -> str | None:
    if text is None:
        return None
    if document:
        return needles.replaced_in_json(text, replacement)
    return needles.replaced_in(text, replacement)


def count(driver: Driver, table: TableProgram, person: Captured) -> Count:
    """Return how many rows of *table* a closing would change now."""
    result = Count(kept=kept(driver, table, person))
    if any(not isinstance(target.action, Retain) for target in table.targets):
        removed, redacted, unfinished = driver.rows(table.counts, person.values)[0]
        edited = [edit for edit in mentions(driver, table, person) if not edit[1]]
        result.removed, result.redacted = removed, redacted
        result.changed = unfinished + len(edited)
    return result


def kept(driver: Driver, table: TableProgram, person: Captured) -> list[tuple[Retain, int, Any]]:
    """Return each `Retain` of *table* with the number of its rows and their latest start."""
    result = []
    for action, statement in table.kept:
        rows, *latest = driver.rows(statement, person.values)[0]
        result.append((action, rows, latest[0] if latest else None))
    return result


def make_plan(
    driver: Driver,
    program: Program,
    key: tuple[Any, ...],
    fingerprint: str,
    today: date,
) -> Plan:
    """Return what closing this subject would do now.

    A closed account has an empty plan: closing it again changes nothing.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = driver.rows(program.find, key_values(program, key))
    if not rows:
        raise UnknownSubjectError(program.table.fullname)
    person = capture(driver, program, rows[0])
    steps: tuple[Step, ...] = ()
    if person.closed_at is None:
        counts = [(table, count(driver, table, person)) for table in (*program.tables, program.own)]
        steps = tuple(in_order(counts, today))
    shown = str(key[0]) if len(key) == 1 else str(key)
    return Plan(program.table.fullname, shown, fingerprint, program.digest, steps)


def in_order(counts: list[tuple[TableProgram, Count]], today: date) -> Iterator[Step]:
    """Yield the steps of *counts* as they run: credentials first, the person's own row last."""
    made = [step for table, counted in counts for step in steps(table, counted, today)]
    yield from (step for step in made if step.action == Revoke.word)
    yield from (step for step in made if step.action != Revoke.word)


def steps(table: TableProgram, counted: Count, today: date) -> Iterator[Step]:
    """Yield what happens to the rows of one table, an action each; no-ops are said too."""
    name = table.table.fullname
    if table.delete is not None:
        kinds = (Delete, Revoke)
        word = Revoke.word if table.has(Revoke) else Delete.word
        yield Step(
            name, word, _through(table, kinds), (), (("*", "deleted"),),
            rows=counted.removed, reached=counted.removed,
        )  # fmt: skip
    for action, rows, latest in counted.kept:
        yield Step(
            name, action.word, _through(table, (Retain,)), (), (("*", "kept"),),
            rows=0, reached=rows, until=term_end(action, today, latest),
            because=f"{action.basis}: {action.because}",
        )  # fmt: skip
    if table.redacts:
        yield Step(
            name, "redact", _through(table, (Redact,)), tuple(table.columns), _levels(table),
            rows=counted.changed, reached=counted.redacted,
        )  # fmt: skip


def _through(table: TableProgram, kinds: tuple[type, ...]) -> tuple[str, ...]:
    return tuple(
        target.through
        for target in table.targets
        if target.through is not None and isinstance(target.action, kinds)
    )


def _levels(table: TableProgram) -> tuple[tuple[str, str], ...]:
    """Return what is true of each decided column afterwards."""
    kept_references = {
        name: "pseudonymized" for target in table.targets for name in target.references
    }
    changed = {
        name: "redacted, not verified" if isinstance(mark.action, ReplaceMentions) else "redacted"
        for name, mark in table.columns.items()
    }
    return tuple(sorted({**kept_references, **changed}.items()))


def term_end(action: Retain, closed_on: date, latest: Any) -> date:
    """Return the last day on which rows under *action* are kept."""
    start = closed_on
    if action.start == "calendar-year-end":
        start = date(closed_on.year, 12, 31)
    elif action.start != "closing" and latest is not None:
        start = latest.date() if isinstance(latest, datetime) else latest
    return Period.parse(action.period).after(start)
