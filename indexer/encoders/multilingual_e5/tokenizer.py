"""Tokenizer of multilingual-e5-small: XLM-RoBERTa's unigram pieces, by the library tokenizers."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from indexer.encoders.multilingual_e5.weights_file import Vocabulary


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
        begin, end = self._vocabulary.begin, self._vocabulary.end
        return [[begin, *encoding.ids[: self._max_content], end] for encoding in encodings]
