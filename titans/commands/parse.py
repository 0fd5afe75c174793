"""Part of ``make lint``: whether dbt can read the project."""

from __future__ import annotations

import tempfile

from include.settings import load_settings
from include.transform import invoke_dbt


def parse() -> None:
    """Check that dbt can read the project."""
    with tempfile.TemporaryDirectory() as folder:
        invoke_dbt(load_settings(data_dir=folder), ["parse"])
