"""Readers in processes of their own while generations are published."""

from __future__ import annotations

from pathlib import Path

from tests.soak.readers import OWN_CLIENTS, read_while_publishing
from tests.soak.tally import Tally


def test_readers_meet_no_error_and_no_torn_read_while_generations_are_published(tmp_path: Path) -> None:
    """Each read looks at several tables through one connection; a new connection sees what was published before it was
    opened, or newer. The first publication brings the folder over from the early layout."""
    tally = Tally()
    read_while_publishing(tmp_path, OWN_CLIENTS, seconds=20, tally=tally, is_early=True)
    assert (tmp_path / "published" / "current").is_symlink()
    assert tally.findings == []
    assert tally.done["generations published under readers"] >= 2
    for client in OWN_CLIENTS:
        assert tally.done[f"reads by {client.name}"] > 0
