"""Languages of subtitle files: how file names spell them, and the encodings that their texts had before Unicode."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its codes (ISO 639-1, 639-2 and customary ones), names in lower case, and legacy encodings.

    `letters` are those beyond ASCII of its Latin alphabet, in lower case; empty for other scripts.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    encodings: tuple[str, ...]
    letters: str = ""


_WESTERN = "cp1252 iso8859-1 iso8859-15"
_CENTRAL = "cp1250 iso8859-2"
_CYRILLIC = "cp1251 koi8-r cp866 iso8859-5"
_BALTIC = "cp1257 iso8859-13 iso8859-4"
_TABLE = f"""
ar ara | arabic العربية | cp1256 iso8859-6
bg bul | bulgarian български | {_CYRILLIC}
bs bos | bosnian bosanski | {_CENTRAL} | čćđšž
ca cat | catalan català | {_WESTERN} | àçèéíïòóúü
cs cze ces | czech čeština cesky | {_CENTRAL} | áčďéěíňóřšťúůýž
da dan | danish dansk | {_WESTERN} | åæéø
de ger deu | german deutsch | {_WESTERN} | äöüß
el gre ell gr | greek ελληνικά | cp1253 iso8859-7
en eng | english | {_WESTERN} | éèïñöü
es spa | spanish español espanol castellano castilian latino | {_WESTERN} | áéíñóúü
et est | estonian eesti | {_BALTIC} cp1252 | äõöšüž
eu baq eus | basque euskara | {_WESTERN} | ñçü
fa per fas | persian farsi فارسی | cp1256
fi fin | finnish suomi | {_WESTERN} | äåöšž
fr fre fra | french français francais | {_WESTERN} | àâæçèéêëîïôœùûüÿ
gl glg | galician galego | {_WESTERN} | áéíïñóúü
he heb iw | hebrew עברית | cp1255 iso8859-8
hi hin | hindi हिन्दी |
hr hrv scr | croatian hrvatski | {_CENTRAL} | čćđšž
hu hun | hungarian magyar | {_CENTRAL} | áéíóöőúüű
id ind in | indonesian | {_WESTERN}
is ice isl | icelandic íslenska | {_WESTERN} | áæðéíóöúýþ
it ita | italian italiano | {_WESTERN} | àèéìîòóù
ja jpn jp | japanese 日本語 | cp932 euc-jis-2004 shift_jis_2004
ko kor kr | korean 한국어 한글 | cp949 johab
lt lit | lithuanian lietuvių | {_BALTIC} | ąčęėįšųūž
lv lav | latvian latviešu | {_BALTIC} | āčēģīķļņšūž
mk mac mkd | macedonian македонски | {_CYRILLIC}
ms may msa | malay melayu | {_WESTERN}
nl dut nld | dutch nederlands flemish | {_WESTERN} | áèéëïóöü
no nor nb nob nn nno | norwegian norsk bokmål | {_WESTERN} | åæéòôø
pl pol | polish polski | {_CENTRAL} | ąćęłńóśźż
pt por pb pob br | portuguese português portugues brazilian | {_WESTERN} | àáâãçéêíóôõúü
ro rum ron | romanian română romana | {_CENTRAL} | âăîșşțţ
ru rus | russian русский | {_CYRILLIC}
sk slo slk | slovak slovenčina | {_CENTRAL} | áäčďéíĺľňóôŕšťúýž
sl slv | slovenian slovene slovenščina | {_CENTRAL} | čšž
sq alb sqi | albanian shqip | {_WESTERN} | çë
sr srp scc | serbian srpski српски | cp1250 cp1251 iso8859-2
sv swe | swedish svenska | {_WESTERN} | äåéö
th tha | thai ไทย | cp874 tis-620
tr tur | turkish türkçe turkce | cp1254 iso8859-9 | âçğîıİöşüû
uk ukr ua | ukrainian українська | cp1251 koi8-u cp866
vi vie | vietnamese tiếng việt | cp1258
zh chi zho chs cht sc tc cn tw | chinese mandarin cantonese 中文 简体 繁體 繁体 简体中文 繁體中文 | gb18030 big5hkscs
"""
"""Source: ISO 639 for the codes; the code pages that Windows and Unix used for these languages; their alphabets."""


def _read_table() -> tuple[Language, ...]:
    rows = [[tuple(cell.split()) for cell in row.split("|")] for row in _TABLE.strip().split("\n")]
    return tuple(Language(row[0], row[1], row[2], "".join(word for cell in row[3:] for word in cell)) for row in rows)


LANGUAGES = _read_table()
LANGUAGES_BY_WORD = {word: language for language in LANGUAGES for word in (*language.codes, *language.names)}
"""The languages by their codes and names."""
LEGACY_ENCODINGS = tuple(dict.fromkeys(encoding for language in LANGUAGES for encoding in language.encodings))
"""The encodings that are tried for a text that is not Unicode, as Python and chardet call them."""
