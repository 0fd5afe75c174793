"""The unit tests of the models, which stand beside them in dbt, and the test of their keys."""

from __future__ import annotations

import duckdb
import pytest

from include.errors import TitansError
from include.settings import Settings
from include.transform import invoke_dbt
from tests.conftest import CopyStore


def test_models_on_hand_made_rows(built_sample_store: Settings, copy_store: CopyStore) -> None:
    nodes = invoke_dbt(copy_store(built_sample_store), ["test", "--select", "test_type:unit"])["nodes"]
    assert set(nodes) == {"pass"}
    assert nodes["pass"] >= 58


def test_a_key_that_occurs_twice_fails_the_build(built_sample_store: Settings, copy_store: CopyStore) -> None:
    settings = copy_store(built_sample_store)
    with duckdb.connect(str(settings.store.warehouse)) as connection:
        connection.execute("insert into intermediate.int_fx_fixings from intermediate.int_fx_fixings limit 1")
    with pytest.raises(TitansError, match="unique_key_int_fx_fixings_: Got 1 result"):
        invoke_dbt(settings, ["test", "--select", "int_fx_fixings,test_name:unique_key"])
