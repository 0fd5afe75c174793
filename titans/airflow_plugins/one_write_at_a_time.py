"""Writes to Airflow's API one after another, while its database is SQLite: two at once would wait for each other."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from starlette.types import ASGIApp, Receive, Scope, Send

_READING = {"GET", "HEAD", "OPTIONS"}


class OneWriteAtATime:
    """Lets a request that writes begin when the one before has been answered and has committed.

    A task that reports its state holds SQLite's only write lock in a thread, and its commit is scheduled on the event loop. Airflow writes its audit log
    on that loop: a trigger that comes in between waits there for the lock, blocks the loop, and so the commit that would free it, until SQLite gives up
    (a minute here), and fails.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        async with self._turn:
            await self._app(scope, receive, send)


class OneWriteAtATimePlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow's plugins have no types
    """Found by Airflow in its plugins folder."""

    name = "one_write_at_a_time"
    fastapi_root_middlewares: ClassVar[list[dict[str, Any]]] = [
        {"middleware": OneWriteAtATime, "args": [], "kwargs": {}, "name": "one write at a time"}
    ]
