"""docker-compose.yml and what belongs to it, as far as it can be told without an engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.jobs.webhooks import decode_secret
from services.settings import describe_variables, list_profiles, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "build" in service or re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.?\d*[a-z-]*", service["image"]), name


def test_one_version_of_vllm_is_installed_run_described_and_tried(compose: dict[str, Any]) -> None:
    _, _, version = compose["services"]["vllm"]["image"].partition(":v")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert extras["vllm"] == [f"vllm=={version}"]
    for page in ("docs/vllm.md", "docs/cluster.md"):
        assert set(re.findall(r"vLLM (\d+\.\d+\.\d+)", (ROOT / page).read_text("utf-8"))) == {version}


def test_every_server_says_whether_it_is_well(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "healthcheck" not in service] == []


def test_every_setting_is_one_and_every_secret_is_there(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    subprocess.run([tmp_path / "deploy" / "make_secrets.sh"], check=True)
    for name, secret in compose["secrets"].items():
        assert (tmp_path / secret["file"]).read_text().strip(), name
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if name.startswith("AFTERIMAGE_"):
                assert name.removesuffix("_FILE") in describe_variables()
            if name.endswith("_FILE"):
                secret = value.removeprefix("/run/secrets/")
                assert secret in service["secrets"]
                monkeypatch.setenv(name, str(tmp_path / "secrets" / secret))
        assert service.get("environment", {}).get("AFTERIMAGE_PROFILE", "local") in list_profiles()
    monkeypatch.delenv("POSTGRES_PASSWORD_FILE")
    settings = load_settings("cluster")
    password = (tmp_path / "secrets" / "postgres_password").read_text()
    assert settings.catalog.url.get_secret_value() == f"postgresql://afterimage:{password}@postgres/afterimage"
    assert len(decode_secret(settings.jobs.webhook_secret.get_secret_value())) == 32


def test_who_uses_the_object_store_is_given_its_keys(compose: dict[str, Any]) -> None:
    given = [one.get("environment", {}) for one in compose["services"].values()]
    storing = [environment for environment in given if "AFTERIMAGE_BLOBS__URL" in environment]
    assert len(storing) == 3
    for environment in storing:
        assert {
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINT_URL",
            "AWS_DEFAULT_REGION",
        } <= environment.keys()


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for _ in range(2):
        subprocess.run([tmp_path / "deploy" / "make_secrets.sh"], check=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
        (tmp_path / "secrets" / "vllm_key").write_text("mine")
    assert made["vllm_key"] == "mine"


def test_docker_takes_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker compose here")
    for chosen in (["single"], ["cluster"], ["cluster", "gpu"]):
        flags = [flag for profile in chosen for flag in ("--profile", profile)]
        subprocess.run([docker, "compose", *flags, "config", "--quiet"], cwd=ROOT, check=True)
