"""Developer tools: a quick login, the rows of a member, and the emails that were sent.

These routes exist only with `GARDEN_DEV=1`.
"""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from efface.sqlalchemy import include_closed
from garden.accounts import sessions
from garden.accounts.users import list_closed
from garden.developer_bar import Bar, Held, shown
from garden.groups import find_member
from garden.models import Invoice, Order, Plot, Post, User, UserToken
from garden.sample_data import PASSWORD
from garden.web import Database, Visitor, render

router = APIRouter()


def developer_bar(request: Request, session: Session, user: User | None) -> Bar | None:
    """Return the bar's facts about the logged-in member, or about the last closed account."""
    if not request.app.state.settings.dev:
        return None
    left = select(User.id).where(User.deleted_at.is_not(None)).order_by(User.deleted_at.desc())
    with include_closed():
        person = user.id if user else session.scalars(left.limit(1)).first()
    member = None if user else find_member(session, is_blocked=False)
    return Bar(member.display_name if member else None, PASSWORD, held(session, person))


def held(session: Session, user_id: int | None) -> Held | None:
    """Return a member's row and row counts, even if the account is closed."""
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
    """Log in as the first member who can delete their account."""
    member = find_member(db, is_blocked=False)
    if member is None:
        raise HTTPException(404)
    info = f"You're logged in as {member.display_name}."
    return sessions.log_in(request, db, member, to="/", info=info)


@router.get("/users/closed")
def closed(request: Request, db: Database, _user: Visitor) -> Response:
    """Show when members deleted their accounts, and not who they were."""
    return render(request, "closed_accounts", left=list_closed(db))


@router.get("/dev/mailbox")
def mailbox(request: Request, _user: Visitor) -> Response:
    """Show the emails that were sent, the latest first."""
    return render(request, "mailbox", mails=request.app.state.mailer.all()[::-1])


@router.get("/dev/mailbox.json")
def mailbox_json(request: Request) -> Response:
    """Return the emails as JSON, the oldest first."""
    return JSONResponse([mail.plain() for mail in request.app.state.mailer.all()])
