"""Killed, or with a full disk, at every single change of the published folder: what people read is whole, a hold holds,
and the same command ends as if nothing had been."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import TitansError
from include.paths import PublishedPaths
from include.production import SourceName, read_production
from include.publishing import generations, switch
from include.publishing.retention import prune
from include.publishing.rollback import release_hold, roll_back
from tests.published_folder import add_early_generation, add_generation, manifest_of

NOW = datetime.now(UTC)
CHANGES = ("rename", "replace", "symlink", "unlink", "rmdir", "mkdir", "utime", "link", "chmod", "fsync", "open")
KILLED = 77


def publish(published: PublishedPaths, source: SourceName, *, is_switch: bool = False) -> None:
    """As a build does, without marts."""
    manifest = manifest_of(NOW, source)
    generations.bring_over(published, "a test")
    if manifest.generation not in generations.names(published):
        with generations.new_folder(published, manifest) as folder:
            (folder / "titans.duckdb").write_text(manifest.generation)
    with generations.link_lock(published, "a test"):
        is_held = generations.hold(published) is not None
        switch.remember(published, source, None, manifest.generation, is_switch and not is_held)
        if not is_held and generations.linked_generation(published) != manifest.generation:
            generations.move_link(published, manifest.generation)
        prune(published, 1, NOW + timedelta(hours=1))


def _plain(published: PublishedPaths) -> None:
    for hours in (5, 4, 3):
        add_generation(published, NOW - timedelta(hours=hours), "files")
    switch.remember(published, "files", Path("/exports"), generations.names(published)[-1], may_switch=False)


def _held(published: PublishedPaths) -> None:
    _plain(published)
    roll_back(published, None)


def _switched(published: PublishedPaths) -> None:
    _plain(published)
    generation = add_generation(published, NOW - timedelta(hours=1), "sample", is_linked=False)
    switch.remember(published, "sample", None, generation, may_switch=True)
    generations.move_link(published, generation)


def _early(published: PublishedPaths) -> None:
    held, _ = (add_early_generation(published, NOW - timedelta(hours=hours)) for hours in (4, 3))
    published.link.unlink()
    published.link.symlink_to(f"titans-{held}.duckdb")
    published.hold.write_text(generations.Hold(generation=held, since=NOW).model_dump_json())


STORIES: dict[str, tuple[Callable[[PublishedPaths], None], Callable[[PublishedPaths], object]]] = {
    "publish": (_plain, lambda published: publish(published, "files")),
    "publish while held": (_held, lambda published: publish(published, "files")),
    "switch": (_plain, lambda published: publish(published, "sample", is_switch=True)),
    "rollback": (_plain, lambda published: roll_back(published, None)),
    "rollback of a switch": (_switched, lambda published: roll_back(published, None)),
    "end of a rollback": (_held, release_hold),
    "publish in an early folder": (_early, lambda published: publish(published, "sample")),
    "end of a rollback in an early folder": (_early, release_hold),
}


@dataclass(frozen=True)
class State:
    """What somebody meets."""

    linked: str | None
    read: str
    held: str | None
    source: str | None

    @classmethod
    def of(cls, published: PublishedPaths) -> State:
        held, production = generations.hold(published), read_production(published.production)
        return cls(
            generations.linked_generation(published),
            str(published.link.stat().st_size),
            held.generation if held else None,
            production.source if production else None,
        )


def _fail_at(number: int, is_kill: bool) -> Callable[[], bool]:
    """From here on, the change ``number`` of the disk in this process does not come about; returns whether it was due."""
    done = 0

    def wrap(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def changed(*arguments: object, **words: object) -> object:
            nonlocal done
            flags = arguments[1] if len(arguments) > 1 else 0
            if name != "open" or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                done += 1
                if done == number:
                    if is_kill:
                        os._exit(KILLED)
                    raise OSError(28, os.strerror(28), str(arguments[0]))
            return real(*arguments, **words)

        return changed

    for name in CHANGES:
        setattr(os, name, wrap(name, getattr(os, name)))
    return lambda: done >= number


def _in_a_child(work: Callable[[], object], number: int, is_kill: bool) -> int:
    """KILLED where the change was due, 0 where the work has fewer, something else for a traceback."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            is_due = _fail_at(number, is_kill)
            work()
            code = KILLED if is_due() else 0
        except (TitansError, OSError):
            code = KILLED
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("is_kill", [True, False], ids=["killed", "disk full"])
@pytest.mark.parametrize("story", STORIES)
def test_whatever_was_broken_off_is_whole_and_can_be_gone_on_with(tmp_path: Path, story: str, is_kill: bool) -> None:
    prepare, work = STORIES[story]
    undisturbed = PublishedPaths(tmp_path / "undisturbed")
    prepare(undisturbed)
    before = State.of(undisturbed)
    work(undisturbed)
    after = State.of(undisturbed)
    number, code = 0, KILLED
    while code == KILLED:
        number += 1
        published = PublishedPaths(tmp_path / str(number))
        prepare(published)
        code = _in_a_child(lambda: work(published), number, is_kill)  # noqa: B023  # it is called at once
        assert code in (0, KILLED), f"a traceback at change {number}"
        between = State.of(published)
        assert between.linked in (before.linked, after.linked)
        assert between.held in (before.held, after.held)
        assert between.source in (before.source, after.source)
        assert generations.damaged_generations(published) == {}
        if between != after:
            work(published)
        assert State.of(published) == after, f"after change {number}"
        shutil.rmtree(published.folder)
    assert number > 5
