"""For developers only: who is who, what the database holds, and which mails were sent.

These routes exist only with `GARDEN_DEV=1`.
"""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from efface.sqlalchemy import include_closed
from garden.accounts import sessions
from garden.accounts.users import list_closed, list_users
from garden.developer_bar import Bar, Held, shown
from garden.models import Invoice, Order, Plot, Post, User, UserToken
from garden.sample_data import PASSWORD
from garden.web import Database, Visitor, render

router = APIRouter()


def developer_bar(request: Request, session: Session, user: User | None) -> Bar | None:
    """Return the bar: about whoever is logged in, else about the last one who left."""
    if not request.app.state.settings.dev:
        return None
    left = select(User.id).where(User.deleted_at.is_not(None)).order_by(User.deleted_at.desc())
    with include_closed():
        person = user.id if user else session.scalars(left.limit(1)).first()
    member = None if user else next(iter(list_users(session)), None)
    return Bar(member.display_name if member else None, PASSWORD, held(session, person))


def held(session: Session, user_id: int | None) -> Held | None:
    """Return everything the six tables hold about a member, closed or not."""
    with include_closed():
        user = session.get(User, user_id) if user_id is not None else None
        if user is None:
            return None
        rows = {
            "users_tokens": UserToken.user_id == user_id,
            "posts": Post.author_id == user_id,
            "plots": Plot.holder_id == user_id,
            "orders": Order.user_id == user_id,
            "invoices": Invoice.order_id.in_(select(Order.id).where(Order.user_id == user_id)),
        }
        return Held(
            {column.name: shown(getattr(user, column.name)) for column in User.__table__.c},
            {
                name: session.scalar(select(func.count()).where(condition)) or 0
                for name, condition in rows.items()
            },
            user.deleted_at is not None,
        )


@router.post("/dev/log_in")
def log_in(request: Request, db: Database, _user: Visitor) -> Response:
    """Log in as the first member who has not left yet."""
    member = next(iter(list_users(db)), None)
    if member is None:
        raise HTTPException(404)
    return sessions.log_in(request, db, member, to="/", info=f"You are {member.display_name}.")


@router.get("/users/closed")
def closed(request: Request, db: Database, _user: Visitor) -> Response:
    """Show when people left, and nothing about who they were."""
    return render(request, "closed_accounts", left=list_closed(db))


@router.get("/dev/mailbox")
def mailbox(request: Request, _user: Visitor) -> Response:
    """Show the mails that were sent, the latest first."""
    return render(request, "mailbox", mails=request.app.state.mailer.all()[::-1])


@router.get("/dev/mailbox.json")
def mailbox_json(request: Request) -> Response:
    """Return the mails for scripts, the oldest first."""
    return JSONResponse([mail.plain() for mail in request.app.state.mailer.all()])
