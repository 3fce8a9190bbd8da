"""A small FastAPI application as one finds it: people, their log-ins, their notes."""

import os
import secrets
from hashlib import scrypt
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import ForeignKey, String, create_engine, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from starlette.middleware.sessions import SessionMiddleware


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(160), unique=True)
    name: Mapped[str | None]
    hashed_password: Mapped[str | None]


class UserToken(Base):
    __tablename__ = "users_tokens"
    token: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    body: Mapped[str]


engine = create_engine(os.environ["DATABASE_URL"])
Session = sessionmaker(engine)
Base.metadata.create_all(engine)

app = FastAPI()
templates = Jinja2Templates("templates")


def hash_of(password, salt):
    return f"{salt}${scrypt(password.encode(), salt=salt.encode(), n=2, r=1, p=1).hex()}"


def check_password(session, user_id, password):
    hashed = session.get(User, user_id).hashed_password
    return secrets.compare_digest(hashed, hash_of(password, hashed.partition("$")[0]))


def current_user_id(connection):
    with Session() as session:
        token = connection.session.get("token")
        query = select(User.id).join(UserToken).where(UserToken.token == token)
        return session.scalars(query).one_or_none()


def required_user_id(request):
    user_id = current_user_id(request)
    if user_id is None:
        raise HTTPException(401)
    return user_id


@app.get("/")
def home(request: Request):
    with Session() as session:
        notes = session.execute(select(Note.body, User.name).join_from(Note, User)).all()
    return {"notes": [tuple(note) for note in notes], "user": current_user_id(request)}


@app.post("/users/register")
def register(
    email: Annotated[str, Form()], password: Annotated[str, Form()], name: Annotated[str, Form()]
):
    with Session.begin() as session:
        hashed = hash_of(password, secrets.token_hex(8))
        session.add(User(email=email, name=name, hashed_password=hashed))


@app.post("/users/log_in")
def log_in(request: Request, email: Annotated[str, Form()], password: Annotated[str, Form()]):
    with Session.begin() as session:
        user = session.scalars(select(User).where(User.email == email)).one_or_none()
        if user is None or not check_password(session, user.id, password):
            raise HTTPException(422)
        request.session["token"] = secrets.token_urlsafe()
        session.add(UserToken(token=request.session["token"], user_id=user.id))


@app.delete("/users/log_out")
def log_out(request: Request):
    with Session.begin() as session:
        session.execute(delete(UserToken).where(UserToken.token == request.session.get("token")))
    request.session.clear()


@app.post("/notes")
def write_note(request: Request, body: Annotated[str, Form()]):
    with Session.begin() as session:
        session.add(Note(author_id=required_user_id(request), body=body))


@app.get("/users/settings")
def settings(request: Request):
    if current_user_id(request) is None:
        return RedirectResponse("/", 303)
    return templates.TemplateResponse(request, "settings.html")


app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"])
