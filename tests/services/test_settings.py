"""Settings: a profile, then the environment; nothing unknown goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import SettingsError
from services.settings import list_profiles, load_settings


def test_every_profile_loads() -> None:
    assert "demo" in list_profiles()
    assert "local" in list_profiles()
    for profile in list_profiles():
        assert load_settings(profile).text.model == "multilingual-e5-small"


def test_the_installed_default_has_no_visual_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().visual.model is None


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AFTERIMAGE_SAMPLING__FPS", "2")
    monkeypatch.setenv("AFTERIMAGE_HOME", str(tmp_path))
    settings = load_settings("demo")
    assert (settings.sampling.fps, settings.home) == (2.0, tmp_path)


def test_an_unknown_variable_is_refused_and_the_near_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_SAMPLING__FSP", "2")
    with pytest.raises(SettingsError, match=r"AFTERIMAGE_SAMPLING__FSP; did you mean AFTERIMAGE_SAMPLING__FPS\?"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AFTERIMAGE_SAMPLING__FPS", "fast", "AFTERIMAGE_SAMPLING__FPS"),
        ("AFTERIMAGE_SAMPLING__FPS_FLOOR", "3", r"fps_floor \(3.0\) is above fps \(1.0\)"),
        ("AFTERIMAGE_HOME", "", "AFTERIMAGE_HOME: is empty"),
        ("AFTERIMAGE_GENERATOR__KIND", "oracle", "AFTERIMAGE_GENERATOR__KIND"),
        ("AFTERIMAGE_GENERATOR__URL", "localhost:8000", "AFTERIMAGE_GENERATOR__URL: is no address such as http://127"),
        ("AFTERIMAGE_GENERATOR__URL", "http://h:99999/v1", "AFTERIMAGE_GENERATOR__URL: Port out of range"),
        ("AFTERIMAGE_GENERATOR__URL", "http://me:key@h/v1", "holds more than an address"),
        ("AFTERIMAGE_PROFILE", "moon", "no profile 'moon'; there are cluster, demo, local"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_an_empty_name_switches_a_lane_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_TEXT__MODEL", "")
    assert load_settings().text.model is None


@pytest.mark.parametrize("url", ["http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"])
def test_a_server_is_named_with_or_without_its_path(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AFTERIMAGE_GENERATOR__URL", url)
    assert load_settings().generator.url == "http://h:8000/v1"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_GENERATOR__API_KEY", "sk-secret")
    settings = load_settings()
    assert settings.generator.api_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(settings) + settings.model_dump_json()
    monkeypatch.setenv("AFTERIMAGE_GENERATOR__API_KEY", "sk-secret\nx")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == "AFTERIMAGE_GENERATOR__API_KEY: holds characters that no header can"


@pytest.mark.parametrize("header", ["Basic a\nb", " Basic a", "Schlüssel"])
def test_a_whole_header_that_cannot_be_sent_is_refused_without_showing_it(
    header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERIMAGE_GENERATOR__AUTHORIZATION", header)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "AFTERIMAGE_GENERATOR__AUTHORIZATION: holds characters that no header can" in str(raised.value)
    assert header.strip() not in str(raised.value)


def test_a_secret_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-secret\n")
    monkeypatch.setenv("AFTERIMAGE_GENERATOR__API_KEY_FILE", str(tmp_path / "key"))
    settings = load_settings("cluster")
    assert settings.generator.api_key.get_secret_value() == "sk-secret"
    assert settings.generator.kind == "openai_compatible"
    monkeypatch.setenv("AFTERIMAGE_GENERATOR__API_KEY", "another")
    with pytest.raises(SettingsError, match="AFTERIMAGE_GENERATOR__API_KEY_FILE are both set"):
        load_settings()


def test_a_secret_file_that_cannot_be_read_is_named_and_what_is_no_secret_takes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AFTERIMAGE_INDEX__API_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"AFTERIMAGE_INDEX__API_KEY_FILE: .*nowhere cannot be read"):
        load_settings()
    monkeypatch.delenv("AFTERIMAGE_INDEX__API_KEY_FILE")
    monkeypatch.setenv("AFTERIMAGE_INDEX__URL_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="unknown setting AFTERIMAGE_INDEX__URL_FILE"):
        load_settings()


@pytest.mark.parametrize("url", ["qdrant:6333", "ftp://qdrant", "http://key@qdrant:6333", "http://qdrant?key=1"])
def test_an_address_of_qdrant_is_an_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AFTERIMAGE_INDEX__URL", url)
    with pytest.raises(SettingsError, match="AFTERIMAGE_INDEX__URL"):
        load_settings()
