"""The application's own tests, as they were before Efface came."""

import pytest
from app.database import create_tables, engine
from app.main import app
from app.models import User
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel, select

PASSWORD = "a long password"
ADA = {"email": "ada@example.org", "full_name": "Ada Lovelace", "password": PASSWORD}


@pytest.fixture(autouse=True)
def tables():
    SQLModel.metadata.drop_all(engine)
    create_tables()
    yield
    engine.dispose()


def log_in(email=ADA["email"]):
    return TestClient(app).post(
        "/login/access-token", data={"username": email, "password": PASSWORD}
    )


def signed_in(person):
    client = TestClient(app)
    assert client.post("/users/signup", json=person).status_code == 200
    token = log_in(person["email"]).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@pytest.fixture
def ada():
    return signed_in(ADA)


@pytest.fixture
def admin():
    client = signed_in({"email": "grace@example.org", "password": PASSWORD})
    with Session(engine) as session:
        user = session.exec(select(User).where(User.email == "grace@example.org")).one()
        user.is_superuser = True
        session.commit()
    return client


def test_an_address_signs_up_once(ada):
    assert ada.post("/users/signup", json=ADA).status_code == 400


def test_without_a_token_there_is_nothing_to_see():
    assert TestClient(app).get("/users/me").status_code == 401
    forged = {"Authorization": "Bearer of news"}
    assert TestClient(app).get("/users/me", headers=forged).status_code == 403


def test_settings_can_be_changed(ada):
    changed = ada.patch("/users/me", json={"full_name": "Countess Lovelace"})

    assert changed.json()["full_name"] == "Countess Lovelace"
    assert ada.get("/users/me").json()["email"] == "ada@example.org"


def test_items_belong_to_whoever_made_them(ada, admin):
    ada.post("/items", json={"title": "Beans"})

    assert [item["title"] for item in ada.get("/items").json()] == ["Beans"]
    assert admin.get("/items").json() == []


def test_people_can_delete_their_account(ada):
    assert ada.delete("/users/me").json() == {"message": "User deleted"}

    assert ada.get("/users/me").status_code == 404
    assert log_in().status_code == 400
    assert ada.post("/users/signup", json=ADA).status_code == 200
    assert log_in().status_code == 200


def test_administrators_list_and_delete_others_but_not_themselves(ada, admin):
    other = ada.get("/users/me").json()["id"]

    assert ada.delete(f"/users/{other}").status_code == 403
    assert admin.delete(f"/users/{other}").json() == {"message": "User deleted"}

    assert [user["email"] for user in admin.get("/users").json()] == ["grace@example.org"]
    assert admin.delete(f"/users/{other}").status_code == 404
    assert admin.delete("/users/me").status_code == 403
