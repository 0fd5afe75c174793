"""A file with a hash of its own is believed whole or not at all."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.errors import TitansError
from include.publishing.generations import Hold
from include.sealed import DamagedError, read_sealed, seal

HOLD = Hold(generation="20250307T000000.000000Z-nogit", since=datetime(2025, 3, 7, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "hold.json").write_text(seal(HOLD))
    return tmp_path / "hold.json"


def test_what_was_written_is_read(path: Path) -> None:
    assert read_sealed(Hold, path, needs_hash=True) == HOLD
    # By sha256sum of the text, which is JSON with sorted keys and without spaces.
    assert json.loads(path.read_text())["sha256"] == (
        "232de6adc75279e11e0c7d5cc546d89a19ffc4547e857827b1c2d58b49beb647"
    )


def test_any_flipped_bit_is_noticed_or_changes_nothing(path: Path) -> None:
    content, noticed, luck = path.read_bytes(), 0, random.Random(1)
    for _ in range(400):
        bit = luck.randrange(8 * len(content))
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert read_sealed(Hold, path) == HOLD
        except DamagedError:
            noticed += 1
    assert noticed > 300


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"1", b'{"generation": 1}', b'{"sha256": ' + b"[" * 10_000, b"\0" * 50]
)
def test_what_is_no_such_file_is_damaged_in_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"^[^\n]+$"):
        read_sealed(Hold, path)


def test_a_file_of_an_early_version_has_no_hash(path: Path) -> None:
    path.write_text(HOLD.model_dump_json())
    assert read_sealed(Hold, path) == HOLD
    with pytest.raises(DamagedError, match="does not hash"):
        read_sealed(Hold, path, needs_hash=True)


def test_a_file_that_a_program_has_written_anew_is_refused(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"generation": "20250308T000000.000000Z-nogit"}))
    with pytest.raises(DamagedError, match="written anew"):
        read_sealed(Hold, path)


def test_a_link_that_leads_nowhere_is_damaged(path: Path) -> None:
    """It counted as absent: no hold."""
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(DamagedError, match="leads nowhere"):
        read_sealed(Hold, path)


def test_absent_is_not_damaged_and_no_descriptor_is_neither(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        read_sealed(Hold, path.with_name("none.json"))

    def refused(*_: object) -> bytes:
        raise OSError(24, os.strerror(24), str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(TitansError, match=r"hold\.json cannot be read or written \(Too many open files\).*ulimit -n"):
        read_sealed(Hold, path)
