"""``make docs``: the dbt documentation, with lineage, as one HTML file, and the pages of entities and of seeds."""

from __future__ import annotations

import json
from pathlib import Path

from include.commands import make_run
from include.errors import TitansError
from include.files import write_whole
from include.raw.lock import writer_lock
from include.settings import PROJECT_ROOT, Settings, load_settings
from include.transform import invoke_dbt
from titans.entities import ENTITIES_PAGE, entities_page
from titans.old_logs import DOCS_PAGE
from titans.output import console
from titans.seeds_page import SEEDS_PAGE, seeds_page

_PATIENCE_SECONDS = 60.0


def docs() -> None:
    """Write the dbt docs as one HTML file."""
    console.print(f"Wrote {write_docs(load_settings())}: open it in a browser.", soft_wrap=True)


def write_docs(settings: Settings) -> Path:
    """Generate the documentation of the settings' source, and the pages of docs/ unless the dbt project is a copy.

    Raises:
        TitansError: there is no warehouse yet, or a build is writing it.
    """
    if not settings.store.warehouse.exists():
        raise TitansError(f"There is no warehouse of source {settings.source} yet: {make_run(settings)} first.")
    with writer_lock(settings.store.warehouse, "make docs", _PATIENCE_SECONDS):
        invoke_dbt(settings, ["docs", "generate", "--static"])
    target = settings.store.root / "dbt" / "target"
    if settings.dbt_project_dir == PROJECT_ROOT / "dbt_project" and ENTITIES_PAGE.parent.is_dir():
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        for path, page in ((ENTITIES_PAGE, entities_page(manifest)), (SEEDS_PAGE, seeds_page(manifest))):
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                write_whole(path, page)
    return target / DOCS_PAGE
