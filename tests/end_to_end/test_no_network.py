"""``make run`` where the source cannot be reached."""

from __future__ import annotations

import shutil

from include.settings import Settings
from tests.command_line import titans
from tests.integration.test_bad_input import assert_refused
from tests.integration.test_bad_input import published as published
from tests.pipeline import Published


def test_yahoo_without_a_network_fails_in_seconds_and_names_the_sample(published: tuple[Settings, Published]) -> None:
    settings, before = published
    shutil.rmtree(settings.data_dir / "yahoo", ignore_errors=True)
    # A loopback port on which nothing listens stands for a network that is not there.
    result = titans(
        "run", TITANS_DATA_DIR=str(settings.data_dir), TITANS_SOURCE="yahoo", TITANS_YAHOO_BASE_URL="http://127.0.0.1:9"
    )
    assert_refused(result, "Yahoo", "Check the connection and run again")
    before.assert_untouched()
