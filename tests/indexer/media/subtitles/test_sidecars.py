"""Subtitle files in every format, as people have them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from indexer.errors import DamagedMedia, UnsupportedMedia
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.media.subtitles.sidecars import read_sidecar

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,a remark
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Über{\\i0} den,\\NWolken
Dialogue: 1,0:00:01.00,0:00:02.50,Default,,0,0,0,,Über den,\\NWolken
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
"""
SSA = """[Script Info]
ScriptType: v4.00

[Events]
Format: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: Marked=0,0:00:01.00,0:00:02.50,Default,,0000,0000,0000,,Hello
"""
SAMI = """<SAMI><HEAD><STYLE TYPE="text/css"><!--
P { margin: 8pt } .KRCC { Name: Korean; lang: ko-KR } .ENCC { Name: English; lang: en-US }
--></STYLE></HEAD><BODY>
<SYNC Start=1000><P Class=KRCC>안녕<br>하세요<P Class=ENCC>Hello
<SYNC Start=2500><P Class=KRCC>&nbsp;<P Class=ENCC>&nbsp;
<sync start="4000"><p class='KRCC'><font color="red">다시</font></p>
</BODY></SAMI>"""
TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:frameRate="25">
<head><metadata><title xmlns="x">none of this</title></metadata></head><body><div>
<p begin="00:00:01.000" end="00:00:02.500">First<br/>line &amp; <span>more</span></p>
<p begin="3s" dur="500ms">Offset</p><p begin="00:00:04:05" end="00:00:05:00">Frames</p>
</div></body></tt>"""
FORMATS = {
    "film.ass": (ASS, [(1.0, 2.5, "Über den, Wolken")]),
    "film.ssa": (SSA, [(1.0, 2.5, "Hello")]),
    "film.smi": (SAMI, [(1.0, 2.5, "안녕 하세요"), (4.0, 8.0, "다시"), (1.0, 2.5, "Hello")]),
    "film.ttml": (TTML, [(1.0, 2.5, "First line & more"), (3.0, 3.5, "Offset"), (4.2, 5.0, "Frames")]),
    "microdvd.sub": (
        "{1}{1}25.000\n{25}{50}One|two\n{75}{100}{y:i}three\n",
        [(1.0, 2.0, "One two"), (3.0, 4.0, "three")],
    ),
    "mpl2.sub": ("[10][20]One|two\n[30][40]/three\n", [(1.0, 2.0, "One two"), (3.0, 4.0, "three")]),
    "subviewer.sub": (
        "[INFORMATION]\n[TITLE]x\n[END INFORMATION]\n[SUBTITLE]\n00:00:01.00,00:00:02.50\nOne[br]two\n\n",
        [(1.0, 2.5, "One two")],
    ),
    "film.sbv": ("0:00:01.000,0:00:02.500\nOne\ntwo\n", [(1.0, 2.5, "One two")]),
    "song.lrc": ("[ti:x]\n[00:01.00]One\n[00:02.50]two\n", [(1.0, 2.5, "One"), (2.5, 6.5, "two")]),
}


def cues(path: Path, text: str, encoding: str = "utf-8") -> list[tuple[float, float, str]]:
    path.write_bytes(text.encode(encoding))
    lines = read_sidecar(path).lines
    return [(round(line.start_s or 0.0, 3), round(line.end_s or 0.0, 3), line.text) for line in lines]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_format_gives_its_cues(tmp_path: Path, name: str, encoding: str) -> None:
    text, expected = FORMATS[name]
    assert cues(tmp_path / name, text, encoding) == expected


def test_the_content_tells_the_format_not_the_suffix(tmp_path: Path) -> None:
    assert cues(tmp_path / "film.srt", ASS) == FORMATS["film.ass"][1]
    assert cues(tmp_path / "film.sub", "1\n00:00:01,000 --> 00:00:02,000\nSubRip\n") == [(1.0, 2.0, "SubRip")]


def test_the_languages_of_sami_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "film.smi").write_bytes(SAMI.encode("cp949"))
    assert [(line.block, line.text) for line in read_sidecar(tmp_path / "film.smi").lines] == [
        (0, "안녕 하세요"),
        (0, "다시"),
        (1, "Hello"),
    ]


def test_frames_are_counted_at_the_rate_of_the_recording(tmp_path: Path) -> None:
    film, subtitles = tmp_path / "film.mp4", tmp_path / "film.sub"
    subtitles.write_text("{0}{10}zero\n{20}{40}one\n")
    with av.open(str(film), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(50):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode())
    known, unknown = read_sidecar(subtitles, film), read_sidecar(subtitles)
    subtitles.write_text("{1}{1}20\n{20}{40}one\n")
    own = [read_sidecar(subtitles, of) for of in (film, None)]
    assert [(line.start_s, line.end_s, found.warnings) for found in own for line in found.lines] == [(1.0, 2.0, ())] * 2
    assert [(line.start_s, line.end_s) for line in known.lines] == [(0.0, 1.0), (2.0, 4.0)]
    assert (known.warnings, unknown.warnings) == (
        (),
        ("counts frames, at a rate that is not known: its times are a guess",),
    )


def test_an_empty_line_inside_a_cue_is_kept(tmp_path: Path) -> None:
    text = """1
00:00:01,000 --> 00:00:02,000
First half

second half

2
00:00:03,000 --> 00:00:04,000


after two empty lines
In the year
1984

3
00:00:05,000 --> 00:00:06,000
the end
"""
    assert cues(tmp_path / "m.srt", text) == [
        (1.0, 2.0, "First half second half"),
        (3.0, 4.0, "after two empty lines In the year 1984"),
        (5.0, 6.0, "the end"),
    ]


def test_a_number_alone_is_text_where_the_file_does_not_count(tmp_path: Path) -> None:
    text = "00:01,000 --> 00:02,000\nIn the year\n1984\n\n00:03,000 --> 00:04,000\nnext\n"
    assert cues(tmp_path / "m.srt", text) == [(1.0, 2.0, "In the year 1984"), (3.0, 4.0, "next")]


def test_line_breaks_that_were_doubled_change_nothing(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\none\ntwo\n\n2\n00:00:03,000 --> 00:00:04,000\nthree\n"
    expected = [(1.0, 2.0, "one two"), (3.0, 4.0, "three")]
    assert cues(tmp_path / "a.srt", text.replace("\n", "\r\r\n")) == cues(tmp_path / "b.srt", text) == expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<Tür knallt>", "<Tür knallt>"),
        ("I <3 you", "I <3 you"),
        ("< whispers >", "< whispers >"),
        ("<Sigh> no", "<Sigh> no"),
        ("<i>tilted</i> <b>bold</b> <u>line</u>", "tilted bold line"),
        ('<font color="#ff0000" face="Arial">red</font>', "red"),
        ("<c.yellow.bg_blue>cue</c> <00:00:01.500>later", "cue later"),
        ("{\\an8}{\\pos(10,20)}up", "up"),
        ("<v Fred>Hi", "Fred: Hi"),
        ("<v.loud Mary Ann>Hi</v>", "Mary Ann: Hi"),
        ("<ruby>漢<rt>kan</rt></ruby>", "漢kan"),
        ("a --> b", "a --> b"),
        ("one<br>two<br />three", "one two three"),
    ],
)
def test_tags_go_and_text_in_angle_brackets_stays(tmp_path: Path, written: str, read: str) -> None:
    assert cues(tmp_path / "m.srt", f"1\n00:00:01,000 --> 00:00:02,000\n{written}\n") == [(1.0, 2.0, read)]


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:01,000 --> 00:00:02,000",
        "00:00:01.000 -> 00:00:02.000",
        "00:00:01:000 --> 00:00:02:000",
        "0:0:1,000 --> 0:0:2,000",
        "00: 00: 01, 000 --> 00: 00: 02, 000",
        "00:00:01 --> 00:00:02",
        "00:01,000 --> 00:02,000  X1:0 X2:9",
    ],
)
def test_times_are_read_as_people_write_them(tmp_path: Path, timing: str) -> None:
    assert cues(tmp_path / "m.srt", f"1\n{timing}\ntext\n") == [(1.0, 2.0, "text")]


def test_a_cue_beyond_any_end_is_kept(tmp_path: Path) -> None:
    assert cues(tmp_path / "m.srt", "1\n09:00:00,000 --> 09:00:02,000\nlate\n") == [(32400.0, 32402.0, "late")]


@pytest.mark.parametrize("name", ["film.ass", "film.sbv", "film.ttml"])
def test_the_watcher_is_told_that_work_goes_on(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FORMATS[name][0])
    beats: list[int] = []
    read_sidecar(tmp_path / name, heartbeat=lambda: beats.append(1))
    assert beats


def test_pictures_of_subtitles_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "m.sub").write_bytes(b"\0\0\1\xba" + bytes(64))
    with pytest.raises(UnsupportedMedia, match=r"holds pictures of subtitles \(VobSub\), which are not read"):
        read_sidecar(tmp_path / "m.sub")


@pytest.mark.parametrize(
    "text",
    [
        '<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="1s">cut',
        '<!DOCTYPE tt [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><tt><body><p begin="1s">&b;</p></body></tt>',
        "<tt>" + "<div>" * 5000 + "</div>" * 5000 + "</tt>",
        "<SYNC Start=1000>" + "<!--" * 200_000,
    ],
)
def test_hostile_and_damaged_files_are_refused_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.ttml").write_text(text)
    try:
        assert len(read_sidecar(tmp_path / "m.ttml").lines) <= 1
    except DamagedMedia as error:
        assert error.reason == "is not a subtitle file"


def test_a_warning_names_the_file_without_its_recording(tmp_path: Path) -> None:
    film = tmp_path / "secret.mkv"
    with av.open(str(film), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode())
    (tmp_path / "Subs").mkdir()
    cue = "1\n00:00:01,000 --> 00:00:02,000\n"
    (tmp_path / "secret.srt").write_bytes(f"{cue}Dokumentace modelů\n".encode("cp1250"))
    (tmp_path / "Subs" / "2_English.srt").write_text("no subtitles at all")
    with SandboxedDecoder() as decoder:
        lines, warnings = decoder.read_subtitles(film)
    assert len(lines) == 1
    assert warnings == (
        "subtitles of its .srt: read as Windows-1252, which is a guess",
        "subtitles of its Subs/2_English.srt: is not a subtitle file",
    )
