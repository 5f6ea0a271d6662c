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
from redis import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from services.jobs.webhooks import decode_secret
from services.settings import describe_variables, list_profiles, load_settings
from tests.support.database_servers import find_free_port
from tests.support.waiting import wait_until

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
    assert f"\nversion={version}  #" in (ROOT / "tests" / "vllm" / "install.sh").read_text("utf-8")
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


def test_a_gpu_is_named_and_what_vllm_takes_of_it_is_bounded(compose: dict[str, Any]) -> None:
    """Two services with `count: 1` would both get the first GPU, and vLLM would take nearly all of its memory."""
    on_gpus = {name: one["deploy"]["resources"] for name, one in compose["services"].items() if "resources" in str(one)}
    devices = {name: resources["reservations"]["devices"] for name, resources in on_gpus.items()}
    assert {name: [device["device_ids"] for device in given] for name, given in devices.items()} == {
        "worker-gpu": [["${WORKER_GPU:-0}"]],
        "vllm": [["${VLLM_GPU:-0}"]],
    }
    assert '--gpu-memory-utilization "$$GPU_MEMORY"' in compose["services"]["vllm"]["entrypoint"][-1]
    assert compose["services"]["vllm"]["environment"]["GPU_MEMORY"] == "${VLLM_GPU_MEMORY:-0.8}"


def test_every_container_of_ours_takes_settings_and_keeps_its_weights(compose: dict[str, Any]) -> None:
    ours = {name: one for name, one in compose["services"].items() if one["image"].startswith("afterimage:")}
    assert ours.keys() == {"api", "worker-cpu", "worker-gpu", "single"}
    for one in ours.values():
        assert one["env_file"] == [{"path": "afterimage.env", "required": False}]
        assert one["volumes"] == ["archive:/data", "models:/models"]
    assert "HF_HOME=/models" in (ROOT / "Dockerfile").read_text("utf-8")


def test_redis_runs_without_root_and_shows_nobody_its_password(compose: dict[str, Any], tmp_path: Path) -> None:
    """Its own command, with other paths and a port of ours."""
    service = compose["services"]["redis"]
    shell, option, script = service["command"]
    assert service["user"] == "redis"
    (tmp_path / "password").write_text("0123456789abcdef")
    port, configuration = find_free_port(), tmp_path / "redis.conf"
    script = script.replace("$$", "$").replace("/run/secrets/redis_password", str(tmp_path / "password"))
    script = script.replace("/tmp/redis.conf", str(configuration)) + f" --port {port} --dir {tmp_path}"
    with subprocess.Popen([shell, option, script], stdout=subprocess.DEVNULL) as server:
        try:
            with Redis(port=port, password="0123456789abcdef") as client:
                wait_until(lambda: _answers(client), "redis answers who knows the password")
                assert client.config_get("appendonly") == {"appendonly": "yes"}
            with Redis(port=port) as client, pytest.raises(AuthenticationError):
                client.ping()
            assert b"0123456789abcdef" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
            assert configuration.stat().st_mode & 0o077 == 0
        finally:
            server.terminate()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False


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
