"""A community to look at: 200 members and what they wrote, planted, ordered and paid.

Every run makes the same one. The people are made up, and their addresses end in `.example`, which
nobody can own.
"""

import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from garden.models import (
    Base,
    Invoice,
    Order,
    Plot,
    PlotGroup,
    PlotGroupMember,
    Post,
    User,
    UserToken,
)

LABELS = tomllib.loads(Path(__file__).with_name("sample_texts.toml").read_text("utf-8"))

MEMBERS = 200
ADA, ADA_EMAIL = "Ada Lovelace", "ada@lovelace.example"
GRACE, GRACE_EMAIL = "Grace Hopper", "grace@hopper.example"
ADA_ID, GRACE_ID = 1, 2

PASSWORD = "tomatoes and beans"  # everybody's, so that you can log in as anyone
# Hashed beforehand: hashing on purpose takes long, and 200 times that is a coffee break.
HASHED_PASSWORD = (
    "$argon2id$v=19$m=19456,t=2,p=1$"
    "WCr83u6LWlRWYm3b6J0rIw$cank2gOJdJS2zokNK5KXFwPREsP1wUo4gy8uBhwBMXo"
)
Row = dict[str, Any]

# Grace is the only organizer of the herbs: before she can leave, she names another.
GROUPS: list[Row] = [{"id": 1, "name": "Herb spiral"}, {"id": 2, "name": "Compost crew"}]
GROUP_MEMBERS: list[Row] = [
    {"group_id": group, "user_id": user, "is_organizer": is_organizer}
    for group, user, is_organizer in (
        (1, GRACE_ID, True),
        (1, 3, False),
        (1, 4, False),
        (2, GRACE_ID, True),
        (2, 5, True),
    )
]


def plant(session: Session, *, now: datetime, hashed_password: str = HASHED_PASSWORD) -> None:
    """Fill the empty tables of a garden. Ada has some fifty rows in six tables."""
    for model, rows in rows_of(now, hashed_password):
        session.execute(insert(model), rows)


def rows_of(now: datetime, hashed_password: str) -> list[tuple[type[Base], list[Row]]]:
    """Return the rows of each table, in an order in which they can be inserted."""
    now = now.replace(microsecond=0)
    chance = Random(1815)  # the same garden every time
    orders = list(_orders(chance, now))
    return [
        (User, list(_users(chance, now, hashed_password))),
        (UserToken, list(_tokens(now))),
        (Plot, list(_plots(chance))),
        (PlotGroup, GROUPS),
        (PlotGroupMember, GROUP_MEMBERS),
        (Post, list(_posts(chance, now))),
        (Order, orders),
        (Invoice, list(_invoices(chance, orders))),
    ]


def member_name(number: int) -> str:
    """Return the name of the member with this key."""
    if number in (ADA_ID, GRACE_ID):
        return ADA if number == ADA_ID else GRACE
    # Each round through the first names meets the last names one further on.
    firsts, lasts = LABELS["first_names"], LABELS["last_names"]
    first = firsts[number % len(firsts)]
    return f"{first} {lasts[(number * 7 + number // len(firsts)) % len(lasts)]}"


def member_email(number: int) -> str:
    """Return the address of the member with this key."""
    first, last = member_name(number).lower().split()
    extra = "" if number <= GRACE_ID else f".{number}"
    return f"{first}{extra}@{last}.example"


def _users(chance: Random, now: datetime, hashed_password: str) -> Iterator[Row]:
    for number in range(1, MEMBERS + 1):
        joined = now - timedelta(days=2400 - number * 11, minutes=chance.randrange(600))
        yield {
            "id": number,
            "email": member_email(number),
            "name": member_name(number),
            "hashed_password": hashed_password,
            "confirmed_at": joined + timedelta(minutes=chance.randrange(5, 900)),
            "inserted_at": joined,
            "updated_at": joined,
        }


def _tokens(now: datetime) -> Iterator[Row]:
    """Ada's tablet and library computer are logged in, and she is about to change her address."""
    for days, context, sent_to in (
        (2, "session", None),
        (9, "session", None),
        (0, "change_email", "ada@analytical-engine.example"),
    ):
        yield {
            "user_id": ADA_ID,
            "token": sha256(f"{context} {days}".encode()).digest(),
            "context": context,
            "sent_to": sent_to,
            "inserted_at": now - timedelta(days=days, hours=1),
        }


def _plots(chance: Random) -> Iterator[Row]:
    holders = [*chance.sample(range(GRACE_ID + 1, MEMBERS + 1), 41), None, None, None, None, None]
    chance.shuffle(holders)
    holders[8:8], holders[21:21] = [ADA_ID], [GRACE_ID]
    for number, holder in enumerate(holders):
        crop = chance.choice(LABELS["crops"])
        yield {
            "id": number + 1,
            "label": f"{'ABCDEFGH'[number // 6]}{number % 6 + 1}",
            "crop": crop if holder else "free",
            "holder_id": holder,
        }


def _posts(chance: Random, now: datetime) -> Iterator[Row]:
    for number, post in enumerate(LABELS["adas_posts"]):
        written = now - timedelta(days=1 + number * 23, hours=5)
        body = post["body"].format(name=ADA, email=ADA_EMAIL)
        yield _post(ADA_ID, post["title"], body, written)
    for number, post in enumerate(LABELS["latest_posts"]):
        author = GRACE_ID if number == 1 else chance.randint(GRACE_ID + 1, MEMBERS)
        written = now - timedelta(hours=3 + number * 17)
        yield _post(author, post["title"], post["body"], written)
    for _ in range(360):
        crop = chance.choice(LABELS["crops"])
        post = chance.choice(LABELS["posts"])
        author = chance.randint(GRACE_ID, MEMBERS)
        written = now - timedelta(minutes=chance.randrange(14 * 1440, 1400 * 1440))
        yield _post(author, post["title"].format(crop=crop), post["body"], written)


def _post(author: int, title: str, body: str, written: datetime) -> Row:
    return {
        "author_id": author,
        "title": title[:1].upper() + title[1:],
        "body": body,
        "inserted_at": written,
    }


def _orders(chance: Random, now: datetime) -> Iterator[Row]:
    buyers = [ADA_ID] * 13 + [chance.randint(GRACE_ID, MEMBERS) for _ in range(420)]
    for number, buyer in enumerate(buyers, start=1):
        yield {
            "id": number,
            "user_id": buyer,
            "item": f"{chance.choice(LABELS['crops'])} seeds",
            "note": chance.choice(LABELS["notes"]) if number % 3 else None,
            "packets": chance.randint(1, 6),
            "ordered_at": now - timedelta(minutes=chance.randrange(1440, 1400 * 1440)),
        }


def _invoices(chance: Random, orders: list[Row]) -> Iterator[Row]:
    for order in orders:
        yield {
            "order_id": order["id"],
            "billing_name": member_name(order["user_id"]),
            "billing_email": member_email(order["user_id"]),
            "total_cents": order["packets"] * chance.choice((240, 290, 350)),
            "issued_at": order["ordered_at"] + timedelta(hours=chance.randrange(1, 48)),
        }
