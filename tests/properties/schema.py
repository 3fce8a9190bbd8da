"""A drawn schema as SQLAlchemy metadata, with the markers of its policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
)

from efface import (
    Clear,
    Delete,
    MatchBy,
    OwnedBy,
    Placeholder,
    Redact,
    ReplaceMentions,
    Revoke,
    Unlink,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from tests.properties.shapes import GONE, Col, Link, Mark, Schema, Shape

TYPES = {
    "text": Text,
    "required": Text,
    "short": lambda: String(20),
    "json": JSON,
    "date": Date,
    "address": lambda: String(45),
    "postcode": lambda: String(10),
    "unique": lambda: String(80),
}
KEYS = {"number": Integer, "uuid": Uuid, "text": lambda: String(20)}


def metadata_of(schema: Schema) -> MetaData:
    """Return the tables of *schema*, each with its decisions."""
    metadata = MetaData()
    _people(metadata, schema)
    for number, shape in enumerate(schema.tables):
        _table(metadata, schema, number, shape)
    return metadata


def _people(metadata: MetaData, schema: Schema) -> None:
    columns: list[Any] = [
        Column("id", KEYS[schema.key](), not_personal(), primary_key=True),
        Column("email", String(80), personal(Placeholder.email()), unique=True, nullable=False),
        Column("login", String(20), personal(Placeholder()), unique=True, nullable=False),
        Column("about", Text, personal(ReplaceMentions(GONE))),
        *(_column(n, col, (Mark(0, Redact()),), {}) for n, col in enumerate(schema.columns)),
    ]
    if not schema.goes:
        columns.append(Column("deleted_at", DateTime(timezone=True)))
    if schema.inviter:
        columns.append(Column("inviter_id", ForeignKey("people.id"), not_personal()))
    if schema.home:
        columns.append(Column("home_id", ForeignKey("t0.id", use_alter=True), not_personal()))
    action = Delete() if schema.goes else Redact()
    Table("people", metadata, *columns, data_subject(action, identifiers=["email", "login"]))


def _table(metadata: MetaData, schema: Schema, number: int, shape: Shape) -> None:
    name = f"t{number}"
    vias = vias_of(schema, shape)
    items: list[Any] = [*_links(schema, shape, vias), *_key(schema, shape)]
    items += [_column(n, col, shape.marks, vias) for n, col in enumerate(shape.columns)]
    if shape.peer:
        items.append(Column("peer_id", ForeignKey(f"{name}.id"), not_personal()))
    if shape.former:
        # Told apart by the marker of the table, as an identifier that the person had once.
        items.append(Column("former", String(80), personal(Clear())))
    if shape.owns is not None:
        items.append(
            Column("owned_id", ForeignKey(f"o{number}.id"), personal(Unlink()), index=True)
        )
        owned = on_close(shape.owns, via=OwnedBy(by=f"{name}.owned_id"))
        street = Column("street", Text, personal(Clear()))
        Table(f"o{number}", metadata, Column("id", Integer, primary_key=True), street, owned)
    for position, mark in enumerate(shape.marks):
        former = ["former"] if shape.former and position == 0 else []
        items.append(on_close(mark.action, via=vias[position], identifiers=former))
    Table(name, metadata, *items)


def vias_of(schema: Schema, shape: Shape) -> dict[int, Any]:
    """Return the link of each mark in the words of a policy."""
    found: dict[int, Any] = {}
    for position, mark in enumerate(shape.marks):
        link = shape.links[mark.link]
        if link.by[0] == "=":
            found[position] = MatchBy(f"l{mark.link}", equals=f"people.{link.by[1:]}")
        elif _is_wide(schema, link):
            found[position] = (f"l{mark.link}_a", f"l{mark.link}_b")
        elif mark.onward is not None and link.to is not None:
            onward = vias_of(schema, schema.tables[link.to])[mark.onward]
            found[position] = f"l{mark.link}.{onward}"
        else:
            found[position] = f"l{mark.link}"
    return found


def _is_wide(schema: Schema, link: Link) -> bool:
    return link.to is not None and schema.tables[link.to].key == "person"


def _key(schema: Schema, shape: Shape) -> Iterator[Any]:
    if shape.key in KEYS:
        yield Column("id", KEYS[shape.key](), primary_key=True)
    if shape.key == "person":
        yield Column("number", Integer, not_personal(), nullable=False)
        yield PrimaryKeyConstraint("l0", "number")


def _links(schema: Schema, shape: Shape, vias: dict[int, Any]) -> Iterator[Any]:
    for number, link in enumerate(shape.links):
        name = f"l{number}"
        in_key = number == 0 and shape.key in ("person", "same")
        options: dict[str, Any] = {"nullable": not in_key, "index": True}
        if shape.key == "same" and number == 0:
            options |= {"primary_key": True, "index": False}
        marks = [n for n, mark in enumerate(shape.marks) if mark.link == number]
        several = len(shape.marks) > 1
        decided = [
            personal(Unlink(), via=vias[n] if several else None) for n in marks if link.unlink
        ]
        if link.by[0] == "=":
            # The value names the person, so it goes with the row or by itself.
            decided = [
                personal(Clear(), via=vias[n] if several else None) for n in marks if shape.redacts
            ]
            yield Column(name, String(80), *decided, **options)
        elif link.to is None:
            update = {"onupdate": "CASCADE"} if link.by == "login" else {}
            column = "login" if link.by == "login" else "id"
            type_ = String(20) if link.by == "login" else KEYS[schema.key]()
            key = ForeignKey(f"people.{column}", **update)
            yield Column(name, type_, key, *decided, **options)
        elif _is_wide(schema, link):
            yield Column(f"{name}_a", KEYS[schema.key]())
            yield Column(f"{name}_b", Integer)
            there = [f"t{link.to}.l0", f"t{link.to}.number"]
            yield ForeignKeyConstraint([f"{name}_a", f"{name}_b"], there)
        else:
            type_ = KEYS[schema.tables[link.to].key]()
            yield Column(name, type_, ForeignKey(f"t{link.to}.id"), *decided, **options)


def _column(number: int, col: Col, marks: tuple[Mark, ...], vias: dict[int, Any]) -> Column[Any]:
    decided = [
        personal(action, via=vias[n] if len(marks) > 1 else None) for n, action in col.decisions
    ]
    return Column(
        f"c{number}",
        TYPES[col.kind](),
        *(decided or [not_personal()]),
        nullable=col.kind != "required",
        unique=col.kind == "unique" or None,
    )


def goes(action: Any) -> bool:
    """Whether a row goes by *action*."""
    return isinstance(action, (Delete, Revoke))
