"""What docker-compose.yml, its Dockerfile and its .env must keep to, read from the files alone: no engine is needed."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.errors import TitansError
from include.settings import PROJECT_ROOT, Settings
from titans import server_env

COMPOSE_FILE = PROJECT_ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
SECRETS = {
    "POSTGRES_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_API_SECRET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD",
}
DATA_DIR = "/opt/titans/data"

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


def read_env(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def mounts(service: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Source, target and whether read-only, of each volume, from the short and the long form."""
    found = []
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, target, *mode = volume.split(":")
            found.append((source, target, mode == ["ro"]))
        else:
            found.append((volume["source"], volume["target"], volume.get("read_only", False)))
    return found


def runs_once(service: dict[str, Any]) -> bool:
    return bool(service["restart"] == "no")


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """A folder in which ``make env`` has run."""
    shutil.copy(PROJECT_ROOT / ".env.example", tmp_path)
    server_env.write_env(tmp_path)
    return tmp_path


def test_compose_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_services_of_airflow_and_its_database_are_there() -> None:
    assert {"postgres", "init", "api-server", "scheduler", "dag-processor", "triggerer", "tidy"} <= set(SERVICES)


@every_service
def test_no_service_runs_as_root(name: str) -> None:
    user = SERVICES[name]["user"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) or user.startswith("${SERVER_UID:?"), f"{name} runs as {user}"


def test_the_image_does_not_run_as_root() -> None:
    instructions = (PROJECT_ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in instructions if line.startswith("USER")][-1] == "USER ${SERVER_UID}:${SERVER_GID}"
    assert any('test "$SERVER_UID" -ne 0' in line for line in instructions)


@every_service
def test_services_cannot_gain_privileges_nor_change_their_image(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert not service.get("cap_add")


@every_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(str(port).startswith("127.0.0.1:") for port in ports), f"{name} publishes {ports}"
    assert SERVICES[name].get("network_mode") != "host"


def test_only_the_ui_is_published_and_the_database_has_no_way_out() -> None:
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["api-server"]
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert COMPOSE["networks"]["database"]["internal"] is True


@every_service
def test_every_service_that_stays_up_has_a_health_check_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    if runs_once(service):
        assert name in ("init", "query"), f"{name} stays up, so it needs a restart policy"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", ["api-server", "scheduler", "dag-processor", "triggerer", "tidy"])
def test_airflow_waits_for_init_and_init_for_a_healthy_database(name: str) -> None:
    assert SERVICES[name]["depends_on"]["init"]["condition"] == "service_completed_successfully"
    assert SERVICES["init"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_init_makes_the_pool_of_one_writer() -> None:
    assert "airflow pools set duckdb_writer 1 " in SERVICES["init"]["command"][-1]


@every_service
def test_only_who_runs_tasks_reports_failures_or_tidies_sees_data_and_readers_get_the_published_folder_read_only(
    name: str,
) -> None:
    for source, target, is_read_only in mounts(SERVICES[name]):
        if source.endswith("/published"):
            assert is_read_only, f"{name} can write what is published"
        if target.startswith(DATA_DIR):
            assert name in ("scheduler", "dag-processor", "tidy"), (
                f"{name} runs no task, reports no failure and tidies nothing, so it needs no {target}"
            )


def test_a_reader_of_the_published_folder_sees_nothing_else() -> None:
    assert [(target, is_read_only) for _, target, is_read_only in mounts(SERVICES["query"])] == [("/published", True)]
    assert SERVICES["query"]["network_mode"] == "none"
    assert "environment" not in SERVICES["query"]


def test_the_api_server_reads_logs_without_writing_them() -> None:
    assert ("logs", "/opt/titans/logs", True) in mounts(SERVICES["api-server"])


def test_all_logs_are_where_tidy_removes_them() -> None:
    """Nothing that Airflow writes goes to /tmp, which is memory, and tidy may write every log that another service may."""
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "tidy"):
        folders = {
            value for key, value in SERVICES[name]["environment"].items() if re.search("LOG_(FOLDER|DIRECTORY)$", key)
        }
        assert folders == {"/opt/titans/logs", "/opt/titans/logs/dag_processor"}, name
    assert ("logs", "/opt/titans/logs", False) in mounts(SERVICES["tidy"])
    assert (DATA_DIR, False) in [(target, is_read_only) for _, target, is_read_only in mounts(SERVICES["tidy"])]


@every_service
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":\d+\.\d+", image), f"{name}: {image} is not a fixed version"


def test_base_images_are_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert bases
    assert all(re.search(r":3\.11\.\d+-slim-bookworm", base) for base in bases), bases


def test_no_secret_has_a_default() -> None:
    for variable in VARIABLE.finditer(COMPOSE_FILE.read_text()):
        if variable["name"] in SECRETS | {"SERVER_UID", "SERVER_GID"}:
            assert variable["rest"] == ":?run make env first", (
                f"{variable[0]} has a default or says nothing when it is missing"
            )
    example = read_env(PROJECT_ROOT / ".env.example")
    assert {name for name in SECRETS if example[name]} == set()


def test_compose_reads_exactly_the_secrets_that_this_test_knows() -> None:
    required = {
        variable["name"]
        for variable in VARIABLE.finditer(COMPOSE_FILE.read_text())
        if variable["rest"].startswith(":?")
    }
    assert required == SECRETS | {"SERVER_UID", "SERVER_GID"} == set(server_env.generate_values())


@every_service
def test_secrets_reach_only_the_services_that_use_them(name: str) -> None:
    users = {
        "AIRFLOW__API_AUTH__JWT_SECRET": {"api-server", "scheduler"},
        "AIRFLOW__API__SECRET_KEY": {"api-server", "scheduler", "triggerer"},
        "AIRFLOW_ADMIN_PASSWORD": {"init"},
        "POSTGRES_PASSWORD": {"postgres"},
        "TITANS_WEBHOOK_URL": {"scheduler", "dag-processor"},
    }
    environment = SERVICES[name].get("environment", {})
    for secret, allowed in users.items():
        assert (secret in environment) == (name in allowed), f"{secret} in {name}"


def test_every_variable_is_explained_in_the_example_and_the_example_has_no_other() -> None:
    used = {variable["name"] for variable in VARIABLE.finditer(COMPOSE_FILE.read_text())}
    assert used == set(read_env(PROJECT_ROOT / ".env.example"))


def test_defaults_of_the_example_are_those_of_the_compose_file() -> None:
    example = read_env(PROJECT_ROOT / ".env.example")
    for variable in VARIABLE.finditer(COMPOSE_FILE.read_text()):
        if variable["rest"].startswith(":-"):
            assert example[variable["name"]] == variable["rest"][2:], variable[0]


@every_service
def test_containers_get_only_settings_that_titans_knows(name: str) -> None:
    known = {f"TITANS_{field.upper()}" for field in Settings.model_fields}
    given = {variable for variable in SERVICES[name].get("environment", {}) if variable.startswith("TITANS_")}
    assert given <= known


def test_the_image_holds_neither_secrets_nor_data() -> None:
    rules = [
        line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert rules[0] == "*", "everything is left out unless it is named"
    assert not {
        rule for rule in rules if rule.startswith("!") and rule.removeprefix("!") in (".env", "data", ".git", ".")
    }
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {f"!{source.rstrip('/')}" for sources in copied for source in sources.split()} == {
        rule for rule in rules if rule.startswith("!")
    }


def test_generated_env_fills_every_secret_and_keeps_the_explanations(generated: Path) -> None:
    values = read_env(generated / ".env")
    example = PROJECT_ROOT / ".env.example"
    assert set(values) == set(read_env(example))
    assert {name for name in SECRETS if len(values[name]) < 24} == set()
    assert len({values[name] for name in SECRETS}) == len(SECRETS)
    assert (generated / ".env").read_text().count("#") >= example.read_text().count("#")


def test_generated_secrets_can_be_used_as_they_are(generated: Path) -> None:
    values = read_env(generated / ".env")
    assert re.fullmatch(r"[\w-]+", values["POSTGRES_PASSWORD"]), "it goes into an address"
    assert len(base64.urlsafe_b64decode(values["AIRFLOW_FERNET_KEY"])) == 32
    assert len(values["AIRFLOW_JWT_SECRET"]) >= 64, "HS512 signs with it"
    assert not [name for name, value in values.items() if "$" in value], "compose would replace it"


def test_two_generated_envs_share_no_secret(generated: Path) -> None:
    first = read_env(generated / ".env")
    second = server_env.generate_values()
    assert {name for name in SECRETS if first[name] == second[name]} == set()


def test_generated_env_is_readable_by_its_owner_alone(generated: Path) -> None:
    assert stat.S_IMODE((generated / ".env").stat().st_mode) == 0o600


def test_the_mounted_folders_belong_to_the_user_of_the_containers(generated: Path) -> None:
    values = read_env(generated / ".env")
    assert values["SERVER_UID"] != "0"
    for folder in ("data", "data/published", "data/exports"):
        owner = (generated / folder).stat()
        assert (str(owner.st_uid), str(owner.st_gid)) == (values["SERVER_UID"], values["SERVER_GID"])


def test_an_existing_env_is_not_overwritten(generated: Path) -> None:
    before = (generated / ".env").read_text()
    with pytest.raises(TitansError, match="exists and was left as it is"):
        server_env.write_env(generated)
    assert (generated / ".env").read_text() == before


def test_a_missing_example_is_named(tmp_path: Path) -> None:
    with pytest.raises(TitansError, match="is missing"):
        server_env.write_env(tmp_path)
    assert not (tmp_path / ".env").exists()


def test_an_example_without_a_variable_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text("POSTGRES_PASSWORD=\n")
    with pytest.raises(TitansError, match="AIRFLOW_ADMIN_PASSWORD="):
        server_env.write_env(tmp_path)
    assert not (tmp_path / ".env").exists()


def test_the_command_ends_with_a_sentence_and_no_traceback(
    generated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server_env, "PROJECT_ROOT", generated)
    assert server_env.main([]) == 1
    assert capsys.readouterr().err.strip().endswith("move it away first if there is no server yet.")


def test_init_writes_the_login_where_airflow_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "passwords.json"
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(target))
    for password in ("first-secret", "changed-secret"):
        monkeypatch.setenv("AIRFLOW_ADMIN_PASSWORD", password)
        assert server_env.main(["passwords"]) == 0
        assert json.loads(target.read_text()) == {"admin": password}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_init_without_a_password_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AIRFLOW_ADMIN_PASSWORD", raising=False)
    assert server_env.main(["passwords"]) == 1
    assert "AIRFLOW_ADMIN_PASSWORD is not set" in capsys.readouterr().err
