"""The unit tests of the models, which stand beside them in dbt."""

from __future__ import annotations

from include.settings import Settings
from include.transform import invoke_dbt
from tests.conftest import CopyStore


def test_models_on_hand_made_rows(built_sample_store: Settings, copy_store: CopyStore) -> None:
    nodes = invoke_dbt(copy_store(built_sample_store), ["test", "--select", "test_type:unit"])["nodes"]
    assert set(nodes) == {"pass"}
    assert nodes["pass"] >= 58
