"""Build the generator that the settings name, with all that depends on its kind.

A new kind is one adapter, one `match` arm here, and one name in `GeneratorSettings.kind`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from indexer.ports import SentenceEncoder, TokenEncoder
from indexer.types import PictureRef
from services.generators.extractive import ExtractiveGenerator
from services.generators.modality_router import ModalityRouter
from services.generators.ports import Generator, JsonWriter, VisualVerifier
from services.settings import Settings

if TYPE_CHECKING:
    from services.generators.onevision.generator import OneVisionGenerator
    from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator


@dataclass(frozen=True, slots=True)
class GeneratorKind:
    """A generator and what follows from its kind.

    `visual_verifier` checks sentences against pictures (None: they stay unclear). `accepts_tokens_of` tells whether the
    generator reads visual tokens of the model with an id (None: it is shown no video context at all).
    `create_token_encoder` makes the generator's own token space for memories (None: it has none). `preload` loads the
    model that the first question would load. `json_writer` puts answers into JSON (None: it cannot).
    """

    generator: Generator
    visual_verifier: VisualVerifier | None = None
    accepts_tokens_of: Callable[[str], bool] | None = None
    create_token_encoder: Callable[[], TokenEncoder] | None = None
    preload: Callable[[], None] = lambda: None
    json_writer: JsonWriter | None = None


class GeneratorWiring:
    """The generator of one process. `resources` closes it."""

    def __init__(
        self,
        settings: Settings,
        sentence_encoder: Callable[[], SentenceEncoder | None],
        read_picture: Callable[[PictureRef], bytes],
        resources: ExitStack,
    ) -> None:
        self._settings, self._sentence_encoder = settings, sentence_encoder
        self._read_picture, self._resources = read_picture, resources

    @cached_property
    def kind(self) -> GeneratorKind:
        """The generator that the settings name. Errors: SettingsError, ModelError."""
        quotes = ExtractiveGenerator(self._sentence_encoder, self._settings.answer.max_sentences)
        match self._settings.generator.kind:
            case "extractive":
                return GeneratorKind(quotes)
            case "onevision":
                model = self.onevision
                return GeneratorKind(
                    self._route_text_to(quotes, model),
                    visual_verifier=model,
                    accepts_tokens_of=_matches_own_tokens(model),
                    create_token_encoder=model.create_token_encoder,
                    preload=lambda: _count_prompt_tokens(model),
                )
            case "openai_compatible":
                takes_embeddings = self._settings.generator.image_embeds
                return GeneratorKind(
                    self._route_text_to(quotes, self._chat_generator),
                    visual_verifier=self._chat_generator,
                    accepts_tokens_of=lambda model_id: takes_embeddings and model_id.startswith("onevision:"),
                    json_writer=self._chat_generator,
                )

    @cached_property
    def onevision(self) -> OneVisionGenerator:
        """The LLaVA-OneVision model of the settings, in this process. Errors: ModelError."""
        from services.generators.onevision.generator import OneVisionGenerator

        settings = self._settings.generator
        generator = OneVisionGenerator(
            settings.model,
            self._read_picture,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_output_tokens=settings.max_output_tokens,
            device=settings.device,
            precision=settings.precision,
            prefix_cache_mb=settings.prefix_cache_mb,
            threads=self._settings.threads,
            max_batch=settings.max_batch,
        )
        self._resources.callback(generator.close)
        return generator

    @cached_property
    def _chat_generator(self) -> OpenAiCompatibleGenerator:
        from services.generators.openai_compatible.client import ChatClient
        from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
        from services.generators.openai_compatible.limits import TokenBudget

        settings = self._settings.generator
        budget = TokenBudget(
            max_prompt_tokens=settings.max_prompt_tokens,
            frame_tokens=settings.frame_tokens,
            image_tokens=settings.image_tokens,
            chars_per_token=settings.chars_per_token,
            max_images=settings.max_images,
            max_videos=settings.max_videos,
            hidden_size=settings.hidden_size if settings.image_embeds else 0,
        )
        authorization = settings.authorization.get_secret_value()
        client = ChatClient(settings.url, settings.api_key.get_secret_value(), settings.timeout_s, authorization)
        return OpenAiCompatibleGenerator(client, self._read_picture, budget, settings.model, settings.max_output_tokens)

    def _route_text_to(self, quotes: ExtractiveGenerator, model: Generator) -> Generator:
        """Quote text and leave pictures to the model, where the settings say so; else leave all to the model."""
        return ModalityRouter(model, quotes) if self._settings.generator.quote_text else model


def _matches_own_tokens(model: OneVisionGenerator) -> Callable[[str], bool]:
    """Return a test of model ids against the generator's own token space, which is looked up at the first call."""

    @cache
    def own_model_id() -> str:
        return model.create_token_encoder().model_id

    return lambda model_id: model_id == own_model_id()


def _count_prompt_tokens(model: OneVisionGenerator) -> None:
    model.count_prompt_tokens("ready", [])
