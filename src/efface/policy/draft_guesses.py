"""Guess from names and types what a draft says about a table or a column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Date, DateTime, Enum, Integer, Numeric, Table, Text

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

SURE, LIKELY, UNSURE = "sure", "likely", "a guess"
REPLACEMENT = "a former member"


@dataclass(frozen=True, slots=True)
class Guess:
    """An action (None if the value is not personal), how confident we are, and why."""

    action: Any
    confidence: str
    reason: str

    def __str__(self) -> str:
        """Return the comment that the draft prints next to the guess."""
        return f"{self.confidence}: {self.reason}"


def _words(alternatives: str) -> re.Pattern[str]:
    """Return a pattern for whole words of a snake_case name; spaces separate *alternatives*."""
    return re.compile(rf"(?:^|_)(?:{'|'.join(alternatives.split())})(?:_|$|\d)")


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Words in the names of columns.
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
_ABOUT_PERSON = _words(
    "birth_?da(?:y|te) dob gender sex pronouns? nationality ssn iban passport tax_?id vat_?id"
)
_USAGE = _words(
    "ip ip_?address remote_?addr user_?agent fingerprint"
    " last_?(?:login|seen|sign_?in|active|activity|access|used|visit)"
)
_PROFILE = _words("avatar photo picture portrait bio about signature profile")
_NOT_PERSONAL = _words(
    "version position sort status state kind type count quantity is has enabled active confirmed"
    " verified"
)
_WRITTEN = _words("created updated inserted modified edited published")
_FREE_TEXT = _words(
    "body contents? comment message text description notes? html subject title excerpt reason"
)

# Words in the names of tables.
_CREDENTIALS = _words(
    "tokens? sessions? api_?keys? credentials? devices? password_?resets? remember"
    " authenticators? oauth logins?"
)
_RECORDS = _words(
    "invoices? payments? orders? receipts? transactions? bills? bookings? refunds? contracts?"
)
_BELONGINGS = _words(
    "memberships? likes? votes? follow(?:s|ers?)? subscriptions? notifications? preferences?"
    " settings? bookmarks? favou?rites? saved hidden ribbons? drafts? carts? baskets?"
    " wish_?lists? reactions? seen reads?"
)
_LOOKUPS = _words(
    "countr(?:y|ies) currenc(?:y|ies) languages? categor(?:y|ies) roles? permissions? migrations?"
    " units?"
)
# In a table that lists countries, these are not names of users.
_LISTED = _words("name title code symbol iso label")
_WHOSE = _words(
    "user users uid userid person people member customer account author owner sender recipient"
    " creator inviter moderator editor by"
)
_PASSWORD = _words("password passwd password_?(?:hash|digest) hashed_?password passw")
_SUBJECT_TABLES = [
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
    r"|moderator|editor)(?:_?(?:id|uuid|key|uid|no|number))?$|(?:^|_)uid$|_by$|_by_id$"
)


def _snake_case(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


def guess_subject_table(tables: Iterable[Table]) -> tuple[Table | None, Guess, list[Table]]:
    """Return the table whose rows are most likely users, how sure that is, and its rivals.

    The table is None if no name suggests one, or if two are equally likely.
    """
    known = list(tables)
    scored = [(*_score(table, known), table) for table in known]
    found = sorted((each for each in scored if each[0]), key=lambda each: -each[0])
    if not found:
        return None, Guess(None, UNSURE, ""), []
    score, reason, table = found[0]
    rivals = [other for points, _, other in found[1:] if 2 * points > score]
    if any(points == score for points, *_ in found[1:]):
        return None, Guess(None, UNSURE, reason), [table, *rivals]
    confidence = SURE if score > 8 else LIKELY if score > 4 else UNSURE  # noqa: PLR2004  # points
    return table, Guess(Redact(), UNSURE if rivals else confidence, reason), rivals


def _score(table: Table, known: list[Table]) -> tuple[int, str]:
    """Return how likely the rows of *table* are users, and the reasons."""
    name, score, reasons = _snake_case(table.name), 0, []
    if any(name == word or name.endswith(f"_{word}") for word in _SUBJECT_TABLES):
        score += 4 if name in _SUBJECT_TABLES else 2
        reasons.append("the name of the table")
    has_address = _has_address(table)
    if not score and not (has_address and any(_PASSWORD.search(_snake_case(c.name))
                                              for c in table.c)):  # fmt: skip
        return 0, ""
    if has_address:
        score += 3
        reasons.append("an email address or login")
    others = [
        other
        for other in known
        if other is not table and any(key.column.table is table for key in other.foreign_keys)
    ]
    # The address may be in a table of its own, as may several of them.
    if not has_address and any(map(_has_address, others)):
        score += 3
        reasons.append("an email address or login in a table that refers to it")
    if others:
        score += len(others)
        number = "a table refers" if len(others) == 1 else f"{len(others)} tables refer"
        reasons.append(f"{number} to it")
    return score, ", ".join(reasons)


def _has_address(table: Table) -> bool:
    columns = [_snake_case(column.name) for column in table.c]
    return any(_ADDRESS.search(each) or _LOGIN.search(each) for each in columns)


def guess_identifiers(table: Table) -> tuple[str, ...]:
    """Return the columns of the users' table whose values identify a user in other tables."""
    patterns = (_ADDRESS, _LOGIN, _words("(?:full|display|real)_?name"))
    found = [
        c.name for c in table.c for p in patterns if is_text(c) and p.search(_snake_case(c.name))
    ]
    found += [c.name for c in table.c if is_text(c) and _snake_case(c.name) == "name"]
    return tuple(dict.fromkeys(found))


def guess_column(target: Column[Any], *, of_person: bool) -> Guess | None:
    """Return a rule for *target* in rows that remain, or None if nothing suggests one.

    Args:
        target: The column.
        of_person: Whether the column is in the users' own table.
    """
    name = _snake_case(target.name)
    if isinstance(unwrapped(target.type), Boolean):
        return Guess(None, LIKELY, "yes or no") if _NOT_PERSONAL.search(name) else None
    clear, empty, unique = Clear(), Replace(""), Placeholder()
    is_name = bool(_NAME.search(name)) or (name == "name" and of_person)
    # The first match decides, so names that identify a user come before vaguer ones.
    known: list[tuple[Any, str, str, list[ColumnAction]]] = [
        (_ADDRESS.search(name), SURE, "an email address", [Placeholder.email(), clear, empty]),
        (_SECRET.search(name), SURE, "a secret", [clear, empty, Replace(b""), unique]),
        (_USAGE.search(name), SURE, "a trace of use", [clear, empty]),
        (_LOGIN.search(name), SURE, "a login", [unique, clear]),
        (is_name, SURE, "a name", [clear, empty, unique]),
        (_ABOUT_PERSON.search(name), SURE, "about the user", [clear, empty]),
        (_CONTACT.search(name), LIKELY, "contact", [clear, empty]),
        (_PROFILE.search(name), LIKELY, "about the user", [clear, empty]),
    ]
    for applies, confidence, reason, actions in known:
        if applies:
            # Of several suitable actions, the first one that the column's type and NULL allow.
            possible = [action for action in actions if why_impossible(target, action) is None]
            return Guess(possible[0], confidence, reason) if possible else None
    # A text or a document can say anything about anybody, whatever its name promises.
    is_plain = isinstance(unwrapped(target.type), (Integer, Numeric, Enum))
    # A number can be a moment.
    is_plain = is_plain and not name.endswith("_at")
    if (is_plain and _NOT_PERSONAL.search(name)) or _is_moment(target, name):
        return Guess(None, LIKELY, "no personal data")
    return _text(target, name)


def _text(target: Column[Any], name: str) -> Guess | None:
    if not (is_text(target) or is_json(target)) or is_unique(target):
        return None
    mentions = ReplaceMentions(REPLACEMENT)
    if _FREE_TEXT.search(name):
        return Guess(mentions, LIKELY, "text that may mention the user")
    if is_json(target) or isinstance(unwrapped(target.type), Text):
        return Guess(mentions, UNSURE, "long text may mention the user")
    return None


def _is_moment(target: Column[Any], name: str) -> bool:
    is_date = isinstance(unwrapped(target.type), (Date, DateTime))
    return is_date and bool(_WRITTEN.search(name))


def guess_row_action(table: Table) -> Guess | None:
    """Return an action for the rows of *table* that belong to a user, or None."""
    name = _snake_case(table.name)
    if _RECORDS.search(name):
        # A name does not say how long the law wants a record kept.
        return None
    if _CREDENTIALS.search(name):
        return Guess(Revoke(), SURE, "credentials are deleted first")
    if _BELONGINGS.search(name):
        return Guess(Delete(), LIKELY, "the user's own settings and choices")
    if all(c.primary_key or c.foreign_keys or _says_nothing(c) for c in table.c):
        return Guess(Delete(), LIKELY, "it only connects other rows")
    if any(_FREE_TEXT.search(_snake_case(c.name)) for c in table.c if is_text(c)):
        return Guess(Redact(), LIKELY, "content that other users replied to")
    return None


def _says_nothing(column: Column[Any]) -> bool:
    guess = guess_column(column, of_person=False)
    return guess is not None and guess.action is None


def is_record(table: Table) -> bool:
    """Return whether the name of *table* suggests records that a law may want kept."""
    return bool(_RECORDS.search(_snake_case(table.name)))


def guess_lookup_table(table: Table) -> Guess | None:
    """Return the guess that *table* has no personal data, or None if it could have some.

    Each of its columns is a key, a name of what the table lists, or says nothing about a user.
    """
    if not _LOOKUPS.search(_snake_case(table.name)):
        return None
    plain = (c.primary_key or _LISTED.search(_snake_case(c.name)) or _says_nothing(c)
             for c in table.c)  # fmt: skip
    if any(_WHOSE.search(_snake_case(c.name)) for c in table.c) or not all(plain):
        return None
    return Guess(None, LIKELY, "its name suggests reference data")


def guess_soft_reference(target: Column[Any], subject_table: Table) -> tuple[str, str] | None:
    """Return the column that *target* seems to reference without a foreign key.

    The name suggests a reference by key, such as ``user_id`` or ``created_by``, and the same type
    makes it likely. An email address suggests a reference by value.

    Returns:
        The column of *subject_table* and the confidence, or None.
    """
    name = _snake_case(target.name)
    is_flag = isinstance(unwrapped(target.type), (Boolean, Date, DateTime))
    if target.foreign_keys or target.primary_key or is_flag:
        return None
    key = list(subject_table.primary_key.columns)
    # A table "members" suggests columns named member_id and memberid.
    singular = re.escape(_snake_case(subject_table.name).removesuffix("s"))
    if _REFERENCE.search(name) or re.fullmatch(rf"{singular}_?(?:id|uuid)", name):
        if len(key) != 1:
            return None
        same = python_type(target) == python_type(key[0])
        return key[0].name, LIKELY if same else UNSURE
    addresses = [
        c for c in subject_table.c if _ADDRESS.search(_snake_case(c.name)) and is_unique(c)
    ]
    if _ADDRESS.search(name) and is_text(target) and addresses:
        return addresses[0].name, UNSURE
    return None
