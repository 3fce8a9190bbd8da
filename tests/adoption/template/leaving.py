"""Ada leaves through the API, and nothing of her is left, nor is her token good for anything."""

from app.database import Session, engine, eraser
from app.models import User
from sqlalchemy import text
from sqlmodel import select
from suite import ada, admin, log_in, tables  # noqa: F401  (fixtures)

from efface.testing import assert_no_trace, assert_policy_complete

TRACES = ["ada@example.org", "Ada Lovelace"]


def test_every_column_is_decided():
    assert_policy_complete(eraser.policy)


def test_ada_deletes_her_account_and_a_tombstone_stays(ada, admin):  # noqa: F811
    ada.post("/items", json={"title": "Notes of Ada Lovelace", "description": "ada@example.org"})
    admin.post("/items", json={"title": "A compiler"})

    left = ada.delete("/users/me")

    assert left.json() == {"message": "User deleted"}
    assert ada.get("/users/me").status_code == 404
    assert ada.post("/items", json={"title": "More"}).status_code == 404
    assert ada.patch("/users/me", json={"full_name": "Ada Lovelace"}).status_code == 404
    assert log_in().status_code == 400
    with Session(engine) as session:
        assert_no_trace(session, eraser.policy, TRACES)
        assert [user.email for user in session.exec(select(User))] == ["grace@example.org"]
    with engine.connect() as connection:
        query = text('SELECT * FROM "user" WHERE deleted_at IS NOT NULL')
        assert connection.execute(query).one().email.endswith("@users.invalid")
        assert connection.scalars(text("SELECT title FROM item")).all() == ["A compiler"]
        finalized = connection.scalars(text("SELECT finalized_at FROM efface_closings")).all()
        assert finalized
        assert None not in finalized
