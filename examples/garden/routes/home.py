"""The garden itself: the notice board, the plots, the members."""

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy import select

from garden import notices
from garden.accounts.users import list_users
from garden.database import lock_account
from garden.live_plots import tell
from garden.models import Post
from garden.plots import list_plots, pick_plot
from garden.post_limits import POSTS_ON_A_PAGE, is_post
from garden.routes import developer_pages
from garden.web import HERE, Database, Member, Text, Visitor, redirect, render

router = APIRouter()


@router.get("/")
def home(request: Request, db: Database, user: Visitor) -> Response:
    """Show the home page, where members also arrive after deleting their account."""
    latest = select(Post).order_by(Post.inserted_at.desc(), Post.id.desc())
    return render(
        request,
        "home",
        posts=db.scalars(latest.limit(POSTS_ON_A_PAGE)).all(),
        plots=list_plots(db),
        developer_bar=developer_pages.developer_bar(request, db, user),
    )


@router.get("/favicon.ico")
def icon() -> Response:
    """Give pages that name no icon the garden's."""
    return FileResponse(HERE / "static" / "leaf.svg")


@router.get("/members")
def members(request: Request, db: Database, _user: Visitor) -> Response:
    """Show who gardens here."""
    return render(request, "members", members=list_users(db))


@router.post("/posts")
def write(
    request: Request,
    db: Database,
    user: Member,
    title: Text = "",
    body: Text = "",
) -> Response:
    """Pin a post to the notice board."""
    title, body = title.strip(), body.strip()
    if not is_post(title, body):
        return redirect(request, "/", error=notices.NOT_POSTED)
    # Locked, so that a member whose account is being closed can't post.
    if not lock_account(db, user.id):
        return redirect(request, "/users/log_in", error=notices.MUST_LOG_IN)
    now = db.info["clock"]()
    db.add(Post(author_id=user.id, title=title, body=body, inserted_at=now))
    db.commit()
    return redirect(request, "/#board", info=notices.POSTED)


@router.post("/plots/pick")
def pick(
    request: Request,
    db: Database,
    user: Member,
    tasks: BackgroundTasks,
    plot: Text = "",
) -> Response:
    """Pick a plot without the WebSocket."""
    picked = pick_plot(db, user.id, plot)
    if picked is None:
        return redirect(request, "/#plots", error=notices.NOT_PICKED)
    db.commit()
    tasks.add_task(tell, request.app.state.closing.live, user.id, picked)
    return redirect(request, "/#plots", info=notices.PICKED.format(plot))
