"""Texts in the encodings of before Unicode, short ones and long ones."""

from __future__ import annotations

import pytest

from indexer.media.subtitles.languages import LANGUAGES_BY_WORD
from indexer.media.subtitles.text_encoding import decode_text

TEXTS = {
    "ko": "선장은 나침반을 침대 밑에 숨긴다\n등대지기는 여섯 시에 불을 켠다",
    "ja": "船長は羅針盤を寝台の下に隠す\n灯台守は六時に灯をともす",
    "zh": "船长把罗盘藏在床铺下面\n守塔人六点钟点灯",
    "tw": "船長把羅盤藏在床鋪下面\n守塔人六點鐘點燈",
    "ru": "Капитан прячет компас под койкой\nСмотритель маяка зажигает огонь",
    "uk": "Капітан ховає компас під ліжком\nЙого ніхто не бачить, крім доглядача",
    "el": "Ο καπετάνιος κρύβει την πυξίδα κάτω από το κρεβάτι\nΟ φύλακας ανάβει το φως",
    "tr": "Kaptan pusulayı yatağın altına saklıyor\nFener bekçisi ışığı yakıyor, çünkü gece oldu",
    "ar": "يخفي القبطان البوصلة تحت السرير\nحارس المنارة يشعل الضوء",
    "he": "הקפטן מסתיר את המצפן מתחת למיטה\nשומר המגדלור מדליק את האור",
    "th": "กัปตันซ่อนเข็มทิศไว้ใต้เตียง\nคนเฝ้าประภาคารจุดไฟตอนหกโมง",
    "fr": "Le capitaine a caché la boussole sous sa couchette\nÀ six heures, le gardien éclaire la forêt, très fâché",
    "de": "Der Kapitän verbirgt den Kompaß unter der Koje\nDer Wärter zündet um sechs das Licht an, für die Möwen",
    "pl": "Kapitan chowa kompas pod koją, żeby nikt go nie znalazł\nLatarnik zapala światło o szóstej",
    "cs": "Kapitán schovává kompas pod lůžkem\nStrážce majáku rozsvěcuje světlo v šest hodin, řekl někdo",
    "hu": "A kapitány az ágy alá rejti az iránytűt\nA toronyőr hatkor meggyújtja a fényt",
}
ENCODINGS = [
    *(("ko", "cp949"), ("ko", "johab"), ("ja", "cp932"), ("ja", "euc_jp"), ("ja", "iso2022_jp"), ("zh", "gb18030")),
    *(("tw", "big5"), ("ru", "cp1251"), ("ru", "koi8_r"), ("ru", "cp866"), ("uk", "cp1251"), ("el", "cp1253")),
    *(("el", "iso8859_7"), ("tr", "cp1254"), ("ar", "cp1256"), ("he", "cp1255"), ("th", "cp874"), ("fr", "cp1252")),
    *(
        ("fr", "iso8859_15"),
        ("de", "cp1252"),
        ("pl", "cp1250"),
        ("pl", "iso8859_2"),
        ("cs", "cp1250"),
        ("hu", "cp1250"),
    ),
]


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_two_lines_are_enough_to_know_the_encoding(language: str, encoding: str) -> None:
    assert decode_text(TEXTS[language].encode(encoding)).text == TEXTS[language]


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_times_and_tags_do_not_mislead(language: str, encoding: str) -> None:
    cues = [
        f"{number}\r\n00:00:0{number},000 --> 00:00:0{number},900\r\n<i>{{\\an8}}{line}</i>\r\n"
        for number, line in enumerate(TEXTS[language].split("\n"), 1)
    ]
    text = "\r\n".join(cues)
    decoded = decode_text(text.encode(encoding))
    assert decoded.text == text.replace("\r\n", "\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("language", ["ko", "ru", "fr"])
def test_unicode_is_never_a_guess(language: str, encoding: str) -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{TEXTS[language]}"
    decoded = decode_text(text.encode(encoding))
    assert (decoded.text, decoded.doubt) == (text, "")


def test_a_long_text_is_sure_and_a_single_word_is_a_guess() -> None:
    assert decode_text(TEXTS["ru"].encode("cp1251")).doubt == ""
    assert decode_text("Dokumentace modelů".encode("cp1250")).doubt == "read as Windows-1252, which is a guess"


def test_the_language_of_the_name_settles_a_short_text() -> None:
    written = "Dokumentace modelů".encode("cp1250")
    decoded = decode_text(written, LANGUAGES_BY_WORD["cs"])
    assert (decoded.text, decoded.doubt) == ("Dokumentace modelů", "")


def test_a_wrong_language_in_the_name_does_not_spoil_a_plain_text() -> None:
    for wrong in ("en", "ko", "el"):
        assert decode_text(TEXTS["ru"].encode("cp1251"), LANGUAGES_BY_WORD[wrong]).text == TEXTS["ru"]


def test_utf8_with_a_damaged_byte_is_still_utf8() -> None:
    written = TEXTS["ru"].encode()
    decoded = decode_text(written[:-1])
    assert decoded.text == TEXTS["ru"][:-1] + "\ufffd"
    assert decoded.doubt == "is UTF-8 with 1 damaged character"


@pytest.mark.parametrize("text", ["Übermütige Gäste hören\ndie Möwen schreien über", "été, forêt, déjà", TEXTS["ko"]])
def test_a_stray_byte_in_a_short_text_leaves_it_utf8(text: str) -> None:
    decoded = decode_text(text.encode() + b"\ncaf\xe9 noir")
    assert decoded.text == text + "\ncaf\ufffd noir"
    assert decoded.doubt == "is UTF-8 with 1 damaged character"


NAMED = {
    "lt": "Švyturio sargas uždega žiburį šeštą valandą\nKapitonas slepia kompasą po gultu, kad niekas nerastų",
    "lv": "Kapteinis paslēpj kompasu zem gultas\nBākas sargs iededz gaismu sešos vakarā",
    "sl": "Kapitan skriva kompas pod ležiščem\nČuvaj svetilnika prižge luč ob šestih",
    "ro": "Căpitanul ascunde busola sub pat\nPaznicul aprinde lumina în fiecare seară",
    "sq": "Kapiteni fsheh busullën nën shtrat\nRojtari i fenerit ndez dritën çdo mbrëmje",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *(("lt", "cp1257"), ("lt", "iso8859_13"), ("lt", "iso8859_4"), ("lv", "cp1257"), ("lv", "iso8859_4")),
        *(("sl", "cp1250"), ("sl", "iso8859_2"), ("ro", "cp1250"), ("sq", "cp1252")),
    ],
)
def test_the_alphabet_of_the_named_language_decides_between_its_encodings(language: str, encoding: str) -> None:
    decoded = decode_text(NAMED[language].encode(encoding), LANGUAGES_BY_WORD[language])
    assert (decoded.text, decoded.doubt) == (NAMED[language], "")


def test_what_no_encoding_fits_is_said() -> None:
    assert decode_text(bytes(range(1, 256)) * 4).doubt != ""


def test_decomposed_letters_are_composed() -> None:
    assert decode_text("e\u0301te\u0301".encode()).text == "été"
