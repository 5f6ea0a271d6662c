"""Whisper of two layers with random weights, for tests that need a model but not its knowledge."""

from __future__ import annotations

from pathlib import Path

LANGUAGES = ("en", "de", "ko")


def make_tiny_whisper(folder: Path, seed: int = 0) -> Path:
    """Write a CTranslate2 Whisper model with its tokenizer; gives the folder. What it hears is gibberish."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperTokenizerFast

    source = folder.with_name(folder.name + "-source")
    tokenizer = _tokenizer(source)
    token = {text: int(tokenizer.convert_tokens_to_ids(text)) for text in ("<|endoftext|>", "<|startoftranscript|>")}
    end, start = token.values()
    config = WhisperConfig(
        vocab_size=len(tokenizer), num_mel_bins=80, d_model=64, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=start,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(config)
    languages = {f"<|{code}|>": int(tokenizer.convert_tokens_to_ids(f"<|{code}|>")) for code in LANGUAGES}
    model.generation_config.lang_to_id = languages
    model.generation_config.suppress_tokens = [end]
    model.generation_config.begin_suppress_tokens = [end]
    model.generation_config.alignment_heads = [[0, 0], [1, 1]]
    model.generation_config.no_timestamps_token_id = int(tokenizer.convert_tokens_to_ids("<|notimestamps|>"))
    model.save_pretrained(source)
    assert isinstance(tokenizer, WhisperTokenizerFast)
    TransformersConverter(str(source), copy_files=["tokenizer.json"]).convert(str(folder), force=True)
    return folder


def _tokenizer(folder: Path):  # noqa: ANN202 - the type needs an import that is slow
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>", *(f"<|{i * 0.02:.2f}|>" for i in range(1501))]
    core.add_special_tokens(special)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = WhisperTokenizerFast(tokenizer_object=core, unk_token="<|endoftext|>", bos_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    return tokenizer
