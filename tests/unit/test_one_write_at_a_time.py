"""Writes to Airflow's API wait for one another, and reads wait for nobody."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from titans.airflow_plugins.one_write_at_a_time import OneWriteAtATime


class App:
    """An API whose answers take a few turns of the event loop."""

    def __init__(self) -> None:
        self.under_way: list[str] = []
        self.seen: list[list[str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.under_way.append(scope["method"])
        self.seen.append(sorted(self.under_way))
        for _ in range(3):
            await asyncio.sleep(0)
        self.under_way.remove(scope["method"])
        if scope["path"] == "/broken":
            raise ConnectionResetError


def requests(app: App, *asked: tuple[str, str]) -> list[object]:
    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_: Message) -> None:
        return None

    async def ask_all() -> list[object]:
        guarded = OneWriteAtATime(app)
        scopes = [{"type": "http", "method": method, "path": path} for method, path in asked]
        return await asyncio.gather(*(guarded(scope, receive, send) for scope in scopes), return_exceptions=True)

    return asyncio.run(ask_all())


def test_a_write_begins_when_the_one_before_has_ended() -> None:
    app = App()
    requests(app, ("PATCH", "/run"), ("POST", "/dagRuns"), ("DELETE", "/dagRuns"))
    assert app.seen == [["PATCH"], ["POST"], ["DELETE"]]


def test_a_read_waits_for_nobody() -> None:
    app = App()
    requests(app, ("PATCH", "/run"), ("GET", "/dags"), ("GET", "/health"))
    assert app.seen == [["PATCH"], ["GET", "PATCH"], ["GET", "GET", "PATCH"]]


def test_a_write_that_breaks_off_lets_the_next_one_in() -> None:
    app = App()
    broken, fine = requests(app, ("POST", "/broken"), ("POST", "/dagRuns"))
    assert (type(broken), fine) == (ConnectionResetError, None)
    assert app.seen == [["POST"], ["POST"]]
