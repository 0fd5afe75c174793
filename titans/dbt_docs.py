"""``make docs``: the dbt documentation, with lineage, as one HTML file."""

from __future__ import annotations

from pathlib import Path

from include.errors import TitansError
from include.settings import Settings
from include.warehouse.lock import writer_lock
from include.warehouse.transform import invoke_dbt


def write_docs(settings: Settings) -> Path:
    """Generate the documentation of the settings' source.

    Raises:
        TitansError: there is no warehouse yet, or a build is writing it.
    """
    if not settings.warehouse_path.exists():
        raise TitansError(f"There is no warehouse of source {settings.source} yet: make run SOURCE={settings.source} first.")
    with writer_lock(settings.warehouse_path, "make docs"):
        invoke_dbt(settings, ["docs", "generate", "--static"])
    return settings.store_dir / "dbt" / "target" / "static_index.html"
