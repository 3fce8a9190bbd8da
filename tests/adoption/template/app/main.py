"""The API: log-in, settings, items, and the administration of users."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from sqlmodel import select

from app import users
from app.database import SessionDep, create_tables
from app.models import Item, User, UserCreate, UserPublic, UserUpdate
from app.security import CurrentUser, access_token, fits, get_superuser

app = FastAPI()
create_tables()


@app.post("/login/access-token")
def log_in(session: SessionDep, form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    user = users.user_by_email(session, form.username)
    if user is None or not fits(form.password, user.hashed_password):
        raise HTTPException(400, "Incorrect email or password")
    return {"access_token": access_token(user), "token_type": "bearer"}


@app.post("/users/signup", response_model=UserPublic)
def sign_up(session: SessionDep, new: UserCreate):
    if users.user_by_email(session, new.email):
        raise HTTPException(400, "A user with this email already exists")
    return users.create_user(session, new)


@app.get("/users/me", response_model=UserPublic)
def read_me(user: CurrentUser):
    return user


@app.patch("/users/me", response_model=UserPublic)
def update_me(session: SessionDep, user: CurrentUser, changes: UserUpdate):
    user.sqlmodel_update(changes.model_dump(exclude_unset=True))
    session.commit()
    session.refresh(user)
    return user


@app.delete("/users/me")
def delete_me(session: SessionDep, user: CurrentUser):
    if user.is_superuser:
        raise HTTPException(403, "Super users cannot delete themselves")
    users.delete_user(session, user)
    return {"message": "User deleted"}


@app.get("/users", response_model=list[UserPublic], dependencies=[Depends(get_superuser)])
def read_users(session: SessionDep):
    return session.exec(select(User)).all()


@app.delete("/users/{user_id}", dependencies=[Depends(get_superuser)])
def delete_user(session: SessionDep, user_id: UUID):
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    users.delete_user(session, user)
    return {"message": "User deleted"}


@app.get("/items")
def read_items(session: SessionDep, user: CurrentUser):
    return session.exec(select(Item).where(Item.owner_id == user.id)).all()


@app.post("/items")
def create_item(session: SessionDep, user: CurrentUser, new: Item):
    item = Item(title=new.title, description=new.description, owner_id=user.id)
    session.add(item)
    session.commit()
    session.refresh(item)
    return item
