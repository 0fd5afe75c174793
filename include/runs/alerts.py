"""One message to the webhook of ``TITANS_WEBHOOK_URL``: JSON with a ``text``, as Slack and Mattermost take it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any

from pydantic import SecretStr

MAX_CHARACTERS = 3000
_SOCKET_SECONDS = 5.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A receiver that sends elsewhere does not get the message: only the address that was configured is trusted."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post_text(url: SecretStr, text: str, seconds: float = 10.0) -> str:
    """Send ``text``, and wait ``seconds`` at most.

    The standard library's client logs nothing. The address is a secret, and HTTP libraries write it to logs.

    Returns:
        An empty text where the receiver took it, else what went wrong, without the address.
    """
    problem = [f"no answer within {seconds:g} seconds"]
    # In a thread: a socket's time-out covers neither a silent name server nor an answer that comes in drops.
    thread = threading.Thread(target=_post, args=(url.get_secret_value(), _body(text), problem), daemon=True)
    thread.start()
    thread.join(seconds)
    return problem[0]


def _body(text: str) -> bytes:
    # Texts hold what vendors wrote: in Slack's markup <!channel> would call everybody.
    escaped = text[:MAX_CHARACTERS].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return json.dumps({"text": escaped}).encode()


def _post(url: str, body: bytes, problem: list[str]) -> None:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SOCKET_SECONDS):
            problem[0] = ""
    except urllib.error.HTTPError as error:
        problem[0] = f"the receiver answered {error.code}"
    except Exception as error:  # whatever it is, it must not fail the run that it tells of
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        problem[0] = f"the receiver could not be reached ({type(reason).__name__})"
