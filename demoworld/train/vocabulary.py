"""The closed vocabulary of the image-text model, and its word-level tokenizer."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from demoworld.world.claims import DAY_PHRASES, NIGHT_PHRASES, NUMBER_WORDS, QUERY_TEMPLATES
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES

PAD_TOKEN, UNKNOWN_TOKEN, END_TOKEN = "[PAD]", "[UNK]", "[END]"
_FILLER_TEXT = (
    "a an the some any no not and or with without next to both together of in on at by from into under over before "
    "after is are was were be there here it this that these those what which who where when why how many much often "
    "does do did can could will would you we they i he she me my your his her its their one two three four five six "
    "first last long show find see seen look picture pictures photo frame video scene moment animal animals thing "
    "things vehicle vehicles fruit food left right enter enters leave leaves cross crosses stay stays appear "
    "appears come comes go goes time day say says said name price cost year write wrote written tell has have had "
    "for as than more most"
)

FILLER_WORDS = tuple(_FILLER_TEXT.split())


def split_words(text: str) -> list[str]:
    """Split a text as the tokenizer does: lower case, runs of letters and digits."""
    return re.findall(r"\w+", text.lower())


@cache
def build_vocabulary() -> tuple[str, ...]:
    """Return every word of the drawn world's texts; the end token has the highest id, as open_clip expects."""
    texts = [_FILLER_TEXT, *QUERY_TEMPLATES, *NIGHT_PHRASES, *DAY_PHRASES, *NUMBER_WORDS]
    for concept in load_concepts():
        texts += [concept.name, concept.plural, *concept.synonyms]
    for place in PLACES:
        texts += [place.name, place.phrase, *place.synonyms]
    words = sorted({word for text in texts for word in split_words(text)})
    return (PAD_TOKEN, UNKNOWN_TOKEN, *words, END_TOKEN)


def write_tokenizer(folder: Path, context_length: int) -> None:
    """Write a tokenizer for transformers' AutoTokenizer; all other words become one unknown token."""
    token_ids = {word: number for number, word in enumerate(build_vocabulary())}
    tokenizer = Tokenizer(WordLevel(token_ids, unk_token=UNKNOWN_TOKEN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation(behavior="removed")]
    )
    tokenizer.post_processor = TemplateProcessing(
        single=f"$A {END_TOKEN}", special_tokens=[(END_TOKEN, token_ids[END_TOKEN])]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=tokenizer,
        pad_token=PAD_TOKEN,
        unk_token=UNKNOWN_TOKEN,
        eos_token=END_TOKEN,
        model_max_length=context_length,
        padding_side="right",
    ).save_pretrained(folder)
