"""Characters of scripts, as ranges for the inside of a character class of a regular expression."""

HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
"""Source: Unicode blocks Hangul Jamo, Hangul Compatibility Jamo and Hangul Syllables."""
HIRAGANA = "\u3041-\u309f"
"""Source: Unicode block Hiragana."""
KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
"""Source: Unicode blocks Katakana and its Phonetic Extensions, without the middle dot."""
KANA = HIRAGANA + KATAKANA
HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Source: Unicode blocks of CJK radicals, unified and compatibility ideographs, and the marks 々 to 〇."""
CYRILLIC = "\u0400-\u04ff"
"""Source: Unicode block Cyrillic."""
