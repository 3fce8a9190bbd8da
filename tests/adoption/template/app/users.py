"""What happens to people."""

from sqlmodel import Session, select

from app.models import User, UserCreate
from app.security import hasher


def create_user(session: Session, new: UserCreate) -> User:
    user = User(email=new.email, full_name=new.full_name, hashed_password=hasher.hash(new.password))
    session.add(user)
    session.commit()
    session.refresh(user)
    return user


def user_by_email(session: Session, email: str) -> User | None:
    return session.exec(select(User).where(User.email == email)).first()


def delete_user(session: Session, user: User) -> None:
    session.delete(user)
    session.commit()
