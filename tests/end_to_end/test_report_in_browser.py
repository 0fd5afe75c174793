"""The report in a browser: nothing is cut at a phone's, a tablet's or a desk's width, and a basket prints on two sides."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from include.settings import Settings
from tests.end_to_end.test_superset import pytestmark as needs_browser
from titans.commands.superset import ENVIRONMENT

pytestmark = needs_browser


@pytest.mark.parametrize("store", ["built_sample_store", "built_real_store"])
def test_pages_fit_every_width_and_two_sides_of_paper(request: pytest.FixtureRequest, store: str) -> None:
    settings: Settings = request.getfixturevalue(store)
    result = subprocess.run(
        [
            ENVIRONMENT / "bin" / "python",
            Path(__file__).with_name("pages_in_browser.py"),
            settings.published.report.resolve(),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    pages = json.loads(result.stdout)
    assert {page["page"] for page in pages} >= {"index.html", "china_titans.html", "magnificent_seven.html"}
    for page in pages:
        assert page["too_wide"] == [], page
        assert page["errors"] == [], page
        assert set(page["asked"]) <= {"file", "data"}, page
        assert page["sides"] <= 2, page
        # One of the two pictures at each width.
        assert page["charts"] == [0 if page["page"] == "index.html" else 1] * 3, page
