"""Reading and checking the seed CSVs."""

from __future__ import annotations

import csv
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import (
    ValidationError,
)

from include.dbt_facts import claim_measures, index_headline_measures
from include.errors import TitansError
from include.seeds.checks import (
    check_currencies,
    check_index_headlines,
    check_markets,
    check_memberships,
    check_press_claims,
    check_references,
    check_unique,
    check_universes,
)
from include.seeds.rows import (
    Basket,
    BasketMember,
    BasketPair,
    CalendarOverride,
    Exchange,
    IndexHeadline,
    MarketEvent,
    MinorUnit,
    PressClaim,
    RankingRule,
    Reference,
    Row,
    Security,
    Universe,
    UniverseMember,
    VendorCorrection,
)

T = TypeVar("T", bound=Row)


def _read(folder: Path, name: str, model: type[T]) -> tuple[T, ...]:
    path = folder / f"{name}.csv"
    try:
        content = path.read_bytes()
        if b"\r\n" in content and content.count(b"\r\n") != content.count(b"\n"):
            raise TitansError(
                f"Seed {path} mixes line ends of Windows and Unix, which dbt cannot read: save it with one of them."
            )
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise TitansError(f"Seed {path} has the column {twice} {names.count(twice)} times: keep one.")
            missing = [field for field in model.model_fields if field not in names and field not in model.may_lack]
            if missing:
                raise TitansError(
                    f"Seed {path} has no column {missing[0]}: its columns are {', '.join(model.model_fields)}."
                )
            rows = []
            for row in reader:
                if None in row:
                    raise TitansError(
                        f"Seed {path}, line {reader.line_num} has more values than the header has columns. Correct the row."
                    )
                try:
                    rows.append(model.model_validate({key: value or None for key, value in row.items()}))
                except ValidationError as error:
                    problem = error.errors()[0]
                    where = str(problem["loc"][0]) if problem["loc"] else "row"
                    raise TitansError(
                        f"Seed {path}, line {reader.line_num}, {where}={problem['input']!r}: {problem['msg']}. Correct the row."
                    ) from error
    except csv.Error as error:
        raise TitansError(
            f"Seed {path} cannot be read as CSV ({error}): a quotation mark may open and not close. Correct the file."
        ) from error
    except OSError as error:
        raise TitansError(
            f"Seed {path} cannot be read ({error.strerror}): restore it, for example with git checkout."
        ) from error
    except UnicodeDecodeError as error:
        raise TitansError(f"Seed {path} is not UTF-8 text ({error.reason}): save it as UTF-8 CSV.") from error
    return tuple(rows)


def load_reference(folder: Path) -> Reference:
    """Read every seed in ``folder``, the seeds of a dbt project, and check each against the others.

    Seeds of the same content are checked once a process: a run of thousands of symbols asks for them once a batch.

    Raises:
        TitansError: names the file, the row and what to correct.
    """
    try:
        content = _hash_of(folder)
    except OSError:  # reading it as a seed says which file and why
        return _read_and_check(folder)
    return _checked_once(folder, content)


def _hash_of(folder: Path) -> bytes:
    """A hash of all that the checks read."""
    project = folder.parent
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.csv"), *project.glob("facts/*.csv"), project / "dbt_project.yml"]):
        content = path.read_bytes()
        digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.digest()


@lru_cache(maxsize=4)
def _checked_once(folder: Path, content: bytes) -> Reference:
    return _read_and_check(folder)


def _read_and_check(folder: Path) -> Reference:
    reference = Reference(
        exchanges=_read(folder, "exchanges", Exchange),
        securities=_read(folder, "securities", Security),
        baskets=_read(folder, "baskets", Basket),
        basket_members=_read(folder, "basket_members", BasketMember),
        basket_pairs=_read(folder, "basket_pairs", BasketPair),
        universes=_read(folder, "universes", Universe),
        universe_members=_read(folder, "universe_members", UniverseMember),
        ranking_rules=_read(folder, "ranking_rules", RankingRule),
        market_events=_read(folder, "market_events", MarketEvent),
        index_headlines=_read(folder, "index_headlines", IndexHeadline),
        press_claims=_read(folder, "press_claims", PressClaim),
        vendor_corrections=_read(folder, "vendor_corrections", VendorCorrection),
        calendar_overrides=_read(folder, "calendar_overrides", CalendarOverride),
        minor_units=_read(folder, "minor_units", MinorUnit),
    )
    check_unique(reference)
    check_references(reference)
    check_markets(reference)
    check_currencies(reference)
    check_memberships(reference)
    check_universes(reference)
    check_index_headlines(reference, index_headline_measures(folder.parent))
    check_press_claims(reference, claim_measures(folder.parent))
    return reference
