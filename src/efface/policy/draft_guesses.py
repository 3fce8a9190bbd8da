"""What names and types suggest: a first guess for a column or a table, and how sure it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Date, DateTime, Table, Text

from efface.policy.actions import (
    Clear,
    ColumnAction,
    Delete,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    Revoke,
)
from efface.policy.check.impossible_actions import why_impossible
from efface.policy.column_types import is_json, is_text, is_unique, python_type, unwrapped

SURE, LIKELY, GUESS = "sure", "likely", "a guess"
FORMER = "a former member"


@dataclass(frozen=True, slots=True)
class Guess:
    """An action (None: not personal), how sure it is, and why."""

    action: Any
    sureness: str
    why: str

    def __str__(self) -> str:
        """Return the comment that stands beside the guess."""
        return f"{self.sureness}: {self.why}"


def _words(alternatives: str) -> re.Pattern[str]:
    """Return a pattern for whole words of a snake_case name; *alternatives* stand in one text."""
    return re.compile(rf"(?:^|_)(?:{'|'.join(alternatives.split())})(?:_|$|\d)")


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Columns.
_ADDRESS = _words("e?mail email_?address mail_?address")
_LOGIN = _words("login user_?name handle nick nickname screen_?name")
_NAME = _words(
    "(?:first|last|middle|maiden|given|family|full|sur|display|real)_?name",
)
_SECRET = _words(
    "password passwd secret otp totp salt digest recovery_codes? token hash hashed api_?key"
    " private_?key fido webauthn"
)
_CONTACT = _words(
    "phone mobile fax street city zip zip_?code post_?code postal_?code address line_?[1-4]"
    " country lat latitude lon lng longitude homepage website telegram mastodon twitter github"
)
_BODY = _words(
    "birth_?da(?:y|te) dob gender sex pronouns? nationality ssn iban passport tax_?id vat_?id"
)
_TRACE = _words(
    "ip ip_?address remote_?addr user_?agent fingerprint last_?login last_?seen last_?sign_?in"
)
_FACE = _words("avatar photo picture portrait bio about signature profile")
_PLAIN = _words(
    "created updated inserted modified version position sort locale language time_?zone currency"
    " status state kind type count score total amount price quantity is has enabled active"
    " confirmed verified slug"
)
_WRITTEN = _words(
    "body contents? comment message text description notes? html subject title excerpt reason"
)

# Tables.
_CREDENTIALS = _words(
    "tokens? sessions? api_?keys? credentials? devices? password_?resets? remember"
    " authenticators? oauth logins?"
)
_RECORDS = _words(
    "invoices? payments? orders? receipts? transactions? bills? bookings? refunds? contracts?"
)
_OWN = _words(
    "memberships? likes? votes? follow(?:s|ers?)? subscriptions? notifications? preferences?"
    " settings? bookmarks? favou?rites? saved hidden ribbons? drafts? carts? baskets?"
    " wish_?lists? reactions? seen reads?"
)
_LISTS = _words(
    "countr(?:y|ies) currenc(?:y|ies) languages? categor(?:y|ies) tags? roles? permissions?"
    " migrations? versions? features? units?"
)
_PEOPLE = [
    "users",
    "user",
    "accounts",
    "account",
    "people",
    "persons",
    "person",
    "members",
    "member",
    "customers",
    "customer",
]
_REFERENCE = re.compile(
    r"(?:^|_)(?:user|account|person|member|customer|author|owner|sender|recipient|creator|inviter"
    r"|moderator|editor)_?(?:id|uuid|key)$|_by$|_by_id$"
)


def _plain(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


def subject(tables: Iterable[Table]) -> tuple[Table, Guess] | None:
    """Return the table whose rows are most likely people, or None where no name says so."""
    known = list(tables)
    found = [(*_points(table, known), table) for table in known]
    points, why, table = max(found, key=lambda each: each[0], default=(0, "", None))
    if table is None or not points:
        return None
    sureness = SURE if points > 8 else LIKELY if points > 4 else GUESS  # noqa: PLR2004  # of 12
    return table, Guess(Redact(), sureness, why)


def _points(table: Table, known: list[Table]) -> tuple[int, str]:
    """Return how much speaks for *table* as the one of the people, at most 12, and what."""
    name = _plain(table.name)
    if not any(name == word or name.endswith(f"_{word}") for word in _PEOPLE):
        return 0, ""
    points, reasons = (4 if name in _PEOPLE else 2), ["the name of the table"]
    columns = [_plain(column.name) for column in table.c]
    if any(_ADDRESS.search(each) or _LOGIN.search(each) for each in columns):
        points += 3
        reasons.append("an address or login")
    others = sum(
        any(key.column.table is table for key in other.foreign_keys)
        for other in known
        if other is not table
    )
    if others:
        points += min(others, 5)
        reasons.append("a table refers to it" if others == 1 else f"{others} tables refer to it")
    return points, ", ".join(reasons)


def identifiers(table: Table) -> tuple[str, ...]:
    """Return the columns of the people's table whose values name the person elsewhere."""
    patterns = (_ADDRESS, _LOGIN, _words("(?:full|display|real)_?name"))
    found = [c.name for c in table.c for p in patterns if is_text(c) and p.search(_plain(c.name))]
    found += [c.name for c in table.c if is_text(c) and _plain(c.name) == "name"]
    return tuple(dict.fromkeys(found))


def column(target: Column[Any], *, of_person: bool) -> Guess | None:
    """Return what is to happen to the value of *target* in a row that stays, if names say so.

    Args:
        target: The column.
        of_person: Whether the row is the person's own.
    """
    name = _plain(target.name)
    if isinstance(unwrapped(target.type), Boolean):
        return Guess(None, LIKELY, "yes or no") if _PLAIN.search(name) else None
    clear, empty, unique = Clear(), Replace(""), Placeholder()
    is_name = bool(_NAME.search(name)) or (name == "name" and of_person)
    known: list[tuple[Any, str, str, list[ColumnAction]]] = [
        (_ADDRESS.search(name), SURE, "an address", [Placeholder.email(), clear, empty]),
        (_SECRET.search(name), SURE, "a secret", [clear, empty, Replace(b""), unique]),
        (_TRACE.search(name), SURE, "a trace of use", [clear, empty]),
        (_LOGIN.search(name), SURE, "a login", [unique, clear]),
        (is_name, SURE, "a name", [clear, empty, unique]),
        (_BODY.search(name), SURE, "about the person", [clear, empty]),
        (_CONTACT.search(name), LIKELY, "contact", [clear, empty]),
        (_FACE.search(name), LIKELY, "about the person", [clear, empty]),
    ]
    for applies, sureness, why, actions in known:
        if applies:
            possible = [action for action in actions if why_impossible(target, action) is None]
            return Guess(possible[0], sureness, why) if possible else None
    if _PLAIN.search(name) or _is_moment(target):
        return Guess(None, LIKELY, "says nothing about a person")
    return _text(target, name)


def _text(target: Column[Any], name: str) -> Guess | None:
    if not (is_text(target) or is_json(target)) or is_unique(target):
        return None
    mentions = ReplaceMentions(FORMER)
    if _WRITTEN.search(name):
        return Guess(mentions, LIKELY, "text that may mention the person")
    if is_json(target) or isinstance(unwrapped(target.type), Text):
        return Guess(mentions, GUESS, "long text may mention the person")
    return None


def _is_moment(target: Column[Any]) -> bool:
    return isinstance(unwrapped(target.type), (Date, DateTime)) and target.name.endswith("_at")


def rows(table: Table) -> Guess | None:
    """Return what is to happen to the rows of a table that a link reaches, if names say so."""
    name = _plain(table.name)
    if _RECORDS.search(name):
        # How long the law wants a record kept is nothing that a name says.
        return None
    if _CREDENTIALS.search(name):
        return Guess(Revoke(), SURE, "credentials go first")
    if _OWN.search(name):
        return Guess(Delete(), LIKELY, "the person's own settings and marks")
    if all(c.primary_key or c.foreign_keys or _PLAIN.search(_plain(c.name)) for c in table.c):
        return Guess(Delete(), LIKELY, "it only connects other rows")
    if any(_WRITTEN.search(_plain(c.name)) for c in table.c if is_text(c)):
        return Guess(Redact(), LIKELY, "what people wrote, and others answered")
    return None


def is_record(table: Table) -> bool:
    """Return whether the name of *table* says that a law may want its rows kept."""
    return bool(_RECORDS.search(_plain(table.name)))


def is_list(table: Table) -> Guess | None:
    """Return the guess that *table* holds nothing about anybody, if its name says so."""
    personal = any((g := column(c, of_person=False)) and g.sureness == SURE for c in table.c)
    if _LISTS.search(_plain(table.name)) and not personal:
        return Guess(None, LIKELY, "its name says a list of the application's")
    return None


def soft_reference(target: Column[Any], people: Table) -> tuple[str, str] | None:
    """Return the column of *people* that *target* seems to refer to without a key, and how sure.

    ``user_id`` and ``created_by`` are references by name, of the same type likely ones; an address
    beside nothing else is a reference by value.
    """
    name = _plain(target.name)
    if target.foreign_keys or target.primary_key:
        return None
    key = list(people.primary_key.columns)
    singular = re.escape(_plain(people.name).removesuffix("s"))
    if _REFERENCE.search(name) or re.fullmatch(rf"{singular}_?(?:id|uuid)", name):
        if len(key) != 1:
            return None
        same = python_type(target) == python_type(key[0])
        return key[0].name, LIKELY if same else GUESS
    addresses = [c for c in people.c if _ADDRESS.search(_plain(c.name)) and is_unique(c)]
    if _ADDRESS.search(name) and is_text(target) and addresses:
        return addresses[0].name, GUESS
    return None
