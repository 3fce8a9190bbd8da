"""The application's own tests, as they were before Efface came."""

import pytest
from app import Base, app, engine
from fastapi.testclient import TestClient


@pytest.fixture(autouse=True)
def tables():
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    yield
    engine.dispose()


@pytest.fixture
def ada():
    with TestClient(app) as browser:
        fields = {"email": "ada@example.org", "password": "a password"}
        browser.post("/users/register", data={**fields, "name": "Ada Lovelace"})
        assert browser.post("/users/log_in", data=fields).status_code == 200
        yield browser


def test_a_wrong_password_does_not_log_in(ada):
    ada.delete("/users/log_out")

    fields = {"email": "ada@example.org", "password": "another"}
    assert ada.post("/users/log_in", data=fields).status_code == 422
    assert ada.get("/").json()["user"] is None


def test_notes_are_shown_with_their_authors(ada):
    ada.post("/notes", data={"body": "Beans for everybody."})

    assert ada.get("/").json()["notes"] == [["Beans for everybody.", "Ada Lovelace"]]


def test_who_is_logged_out_has_no_settings(ada):
    assert "Settings" in ada.get("/users/settings").text

    assert ada.delete("/users/log_out").status_code == 200

    assert ada.get("/users/settings", follow_redirects=False).status_code == 303
    assert ada.post("/notes", data={"body": "..."}).status_code == 401
