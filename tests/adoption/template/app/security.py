"""Passwords, and tokens that say who somebody is until they expire."""

import os
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi import Depends, HTTPException
from fastapi.security import OAuth2PasswordBearer

from app.database import SessionDep
from app.models import User, now

ALGORITHM = "HS256"
hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
bearer = OAuth2PasswordBearer("/login/access-token")


def fits(password: str, hashed: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except VerifyMismatchError:
        return False


def access_token(user: User) -> str:
    claims = {"sub": str(user.id), "exp": now() + timedelta(days=8)}
    return jwt.encode(claims, os.environ["JWT_SECRET"], ALGORITHM)


def get_current_user(session: SessionDep, token: Annotated[str, Depends(bearer)]) -> User:
    try:
        claims = jwt.decode(token, os.environ["JWT_SECRET"], [ALGORITHM])
    except jwt.InvalidTokenError:
        raise HTTPException(403, "Could not validate credentials") from None
    user = session.get(User, UUID(claims["sub"]))
    if user is None or not user.is_active:
        raise HTTPException(404, "User not found")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def get_superuser(user: CurrentUser) -> User:
    if not user.is_superuser:
        raise HTTPException(403, "The user has not enough privileges")
    return user
