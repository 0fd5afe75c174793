"""Where a source's store and the published generations lie: what functions take that need a path, not every setting."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from include.limits import Config, Limits
from include.production import SourceName


@dataclass(frozen=True)
class StorePaths:
    """The store of one source: landing files, warehouse, run records.

    Attributes:
        root: the store's folder.
        known_at: set for a point-in-time build. It has a warehouse of its own, which lasts as long as the build.
        limits: what DuckDB may use to work on it.
    """

    root: Path
    source: SourceName
    known_at: date | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def is_simulated(self) -> bool:
        return self.source == "sample"

    @property
    def data_dir(self) -> Path:
        return self.root.parent

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    def landing_file(self, dataset: str, batch_id: str) -> Path:
        return self.landing / dataset / f"{batch_id}.parquet"

    @property
    def exports(self) -> Path:
        """Checked copies of the exports that source ``files`` reads."""
        return self.root / "exports"

    @property
    def warehouse(self) -> Path:
        folder = self.root / "known_at" / f".{self.known_at}" if self.known_at else self.root
        return folder / "warehouse.duckdb"

    @property
    def spill(self) -> Path:
        """Where DuckDB writes what does not fit into memory. It is there while that is so."""
        return self.warehouse.parent / "spill"

    @property
    def duckdb_config(self) -> Config:
        """For every connection to the warehouse: the limits, and where to spill."""
        return self.limits.config(self.spill)

    @property
    def saved_raw(self) -> Path:
        """A copy of the raw tables, for a warehouse that is rebuilt: made when landing files are let go."""
        return self.root / "raw_tables.duckdb"

    @property
    def raw_to_save(self) -> Path:
        """A mark: superseded versions went from the warehouse, and ``saved_raw`` has not been made since."""
        return self.root / "raw_tables.todo"

    @property
    def known_at_file(self) -> Path:
        """The file that a point-in-time build makes."""
        return self.root / "known_at" / f"{self.known_at}.duckdb"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def releases(self) -> Path:
        return self.runs / "releases"

    @property
    def incidents(self) -> Path:
        return self.root / "incidents"

    @property
    def present(self) -> StorePaths:
        """The store itself, for a point-in-time build that reads it."""
        return replace(self, known_at=None)


@dataclass(frozen=True)
class PublishedPaths:
    """The folder of published generations, which all sources share."""

    folder: Path

    @property
    def link(self) -> Path:
        """What readers open: a link through ``current``, which never changes."""
        return self.folder / "titans.duckdb"

    @property
    def current(self) -> Path:
        """The link to the folder of the generation that people read. It moves in one step."""
        return self.folder / "current"

    @property
    def generations(self) -> Path:
        return self.folder / "generations"

    @property
    def hold(self) -> Path:
        return self.folder / "hold.json"

    @property
    def production(self) -> Path:
        """Which source the data folder serves."""
        return self.folder / "production.json"

    @property
    def lock(self) -> Path:
        return self.folder / ".lock"

    def file(self, generation: str) -> Path:
        """The database. Every client calls it ``titans``, after its name."""
        return self.generations / generation / "titans.duckdb"

    def manifest(self, generation: str) -> Path:
        return self.generations / generation / "manifest.json"
