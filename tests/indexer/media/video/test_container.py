"""Opening of containers: what is a playlist, and what merely cannot be opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import UnsupportedMedia
from indexer.media.video.container import open_media


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"><rect width="9" height="9"/></svg>',
        b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"#define x_width 8\n#define x_height 1\nstatic char x_bits[] = { 0xff };\n",
        b'/* XPM */\nstatic char *x[] = {"1 1 1 1", "a c red", "a"};\n',
    ],
)
def test_a_drawing_is_not_called_a_playlist(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "drawing"
    path.write_bytes(content)
    with pytest.raises(UnsupportedMedia) as caught, open_media(path):
        pass
    assert caught.value.reason == "is not a video, picture or PDF that any decoder here can open"


@pytest.mark.parametrize(
    "content",
    [
        b"ffconcat version 1.0\nfile a.mp4\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
    ],
)
def test_a_playlist_is_called_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(UnsupportedMedia) as caught, open_media(path):
        pass
    assert caught.value.reason == "is a playlist or the like, which would open other files"
