"""Ada leaves through the page that the application has now, and nothing of her is left."""

import re

from app import Session, User, app, closing, engine, eraser
from fastapi.testclient import TestClient
from sqlalchemy import text
from suite import ada, tables  # noqa: F401  (fixtures)

from efface.testing import assert_no_trace, assert_policy_complete

TRACES = ["ada@example.org", "Ada Lovelace"]


def test_every_column_is_decided():
    assert_policy_complete(eraser.policy)


def test_ada_presses_delete_account(ada):  # noqa: F811
    ada.post("/notes", data={"body": "Ask Ada Lovelace, ada@example.org."})
    with TestClient(app) as phone:
        fields = {"email": "ada@example.org", "password": "a password"}
        phone.post("/users/log_in", data=fields)
        token = re.search(r'name="_csrf_token" value="([^"]+)"', ada.get("/users/settings").text)[1]
        form = {"_csrf_token": token, "current_password": "a password", "confirm": "yes"}

        left = ada.post("/users/settings/close", data=form, follow_redirects=False)
        ada.portal.call(closing.wait_finalized)

        assert left.status_code == 303
        assert ada.get("/").json() == {"notes": [], "user": None}
        assert phone.get("/").json()["user"] is None
        assert phone.post("/users/log_in", data=fields).status_code == 422
    with Session() as session:
        assert_no_trace(session, eraser.policy, TRACES)
        assert session.query(User).all() == []
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM users")).one()
        assert row.deleted_at is not None
        assert connection.scalar(text("SELECT count(*) FROM users_tokens")) == 0
        assert (
            connection.scalar(text("SELECT body FROM notes"))
            == "Ask a former member, a former member."
        )
