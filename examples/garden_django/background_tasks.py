"""Background tasks: threads send the emails while the response is already on its way."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")
logger = logging.getLogger("garden.background_tasks")


class BackgroundTasks:
    """Runs tasks in threads and knows which aren't done yet."""

    def __init__(self) -> None:
        """Start no thread before there is something to do."""
        self._threads = ThreadPoolExecutor(2, "background-task")
        self._under_way: set[Future[None]] = set()

    def run(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Do *work* soon; that it failed is said in the log, without what it was about."""
        task = self._threads.submit(_run, work, arguments)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def wait_until_done(self) -> None:
        """Wait until every task is done."""
        while under_way := set(self._under_way):
            wait(under_way)
            self._under_way -= under_way


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """Return what *work* returns, which opens and closes connections of its own in this thread."""
    try:
        return work(*arguments)
    finally:
        connections.close_all()


def _run(work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        apart(work, *arguments)
    except Exception as error:  # noqa: BLE001  (what a database says can quote rows)
        logger.error("A background task failed: %s", type(error).__name__)  # noqa: TRY400  (as above)
