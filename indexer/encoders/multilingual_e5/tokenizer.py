"""Tokenizer of multilingual-e5-small: XLM-RoBERTa's unigram pieces, by the library tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from indexer.encoders.multilingual_e5.weights_file import Vocabulary


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text in pieces: their ids, with the begin and end tokens, and the characters `[start, end)` of each.

    The begin and end tokens stand for no characters.
    """

    ids: list[int]
    spans: list[tuple[int, int]]


class PieceTokenizer:
    """Cuts texts into ids of pieces, with the begin and end tokens, at most `max_tokens` in all."""

    def __init__(self, vocabulary: Vocabulary, max_tokens: int) -> None:
        self._vocabulary, self._max_content = vocabulary, max_tokens - 2
        self._tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, vocabulary.unknown, byte_fallback=False))
        self._tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
        self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; what is over the limit is cut off."""
        replacements = self._vocabulary.replacements
        encodings = self._tokenizer.encode_batch([text.translate(replacements) for text in texts])
        return [self._enclose(encoding.ids[: self._max_content]) for encoding in encodings]

    def encode_with_spans(self, text: str, max_tokens: int) -> Pieces:
        """Return the pieces of a text with their places in it; what is over `max_tokens` in all is cut off."""
        replaced, origins = self._replace(text)
        encoding = self._tokenizer.encode(replaced)
        limit = min(max_tokens - 2, self._max_content)
        inner = [
            (origins[start], origins[end - 1] + 1) if end > start else (0, 0) for start, end in encoding.offsets[:limit]
        ]
        return Pieces(self._enclose(encoding.ids[:limit]), [(0, 0), *inner, (len(text), len(text))])

    def _enclose(self, ids: list[int]) -> list[int]:
        return [self._vocabulary.begin, *ids, self._vocabulary.end]

    def _replace(self, text: str) -> tuple[str, list[int]]:
        """Return the text after the vocabulary's replacements, and for each of its characters the one it is from."""
        parts = [self._vocabulary.replacements.get(ord(character), character) for character in text]
        return "".join(parts), [place for place, part in enumerate(parts) for _ in part]
