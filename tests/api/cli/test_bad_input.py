"""Bad input: one clear line for each, the others go on, nothing half-indexed is seen, nothing is lost."""

from __future__ import annotations

import ctypes
import io
import json
import os
import random
import resource
import shutil
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from indexer.errors import StorageFull
from indexer.types import SegmentFilter
from services.container import Container
from services.ingest.indexing import FileReport, Outcome
from services.search.types import Query
from services.settings import load_settings
from tests.support.cli_runner import RunCommand
from tests.support.containers import MakeContainer
from tests.support.video_fixtures import make_video

NO_FILTERS = SegmentFilter()
EARLIER_TEXT, GOOD_TEXT = "The marmalade is kept in the engine room.", "The lighthouse keeper paints the door green."
NO_MEDIA = "is not a video, picture or PDF that any decoder here can open"
ULTRAFAST = {"preset": "ultrafast"}


# What is bad


def _write_pdf(path: Path, text: str, password: str | None = None) -> None:
    encryption = None if password is None else StandardEncryption(password, canPrint=0)
    canvas = Canvas(str(path), pagesize=(420, 595), invariant=True, encrypt=encryption)
    canvas.drawString(40, 500, text)
    canvas.showPage()
    canvas.save()


def _encode_picture(kind: str) -> bytes:
    texture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(texture).save(file, kind)
    return file.getvalue()


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png_bytes(width: int, height: int, rows: int) -> bytes:
    """A black and white PNG that claims a size and holds some of its rows, all black, in next to no bytes."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1 + width // 8) * rows)
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", pixels) + _png_chunk(b"IEND", b"")


def _pdf_with_pages(pages: int) -> bytes:
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    objects.append(b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, b" ".join(b"3 0 R" for _ in range(pages))))
    objects.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>")
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 4\n0000000000 65535 f \n" + table + end


def _video_bytes(path: Path) -> bytes:
    make_video(path, count=50, options=ULTRAFAST)
    return path.read_bytes()


def _write_truncated_video(path: Path) -> None:
    path.write_bytes((whole := _video_bytes(path))[: len(whole) // 2])


def _write_damaged_video(path: Path) -> None:
    whole = bytearray(_video_bytes(path))
    at = whole.index(b"moov") + 4
    whole[at:] = random.Random(1).randbytes(len(whole) - at)
    path.write_bytes(whole)


def _write_noise(path: Path) -> None:
    path.write_bytes(random.Random(2).randbytes(20_000))


def _writer_of(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.mp4": (Path.touch, "is empty"),
    "empty.pdf": (Path.touch, "is empty"),
    "cut.jpg": (_writer_of(_encode_picture("JPEG")[:2000]), "is truncated or damaged"),
    "cut.mp4": (_write_truncated_video, "no index (moov): cut short or still being written"),
    "damaged.mp4": (_write_damaged_video, "its header is damaged: it names no pictures and no sound"),
    "damaged.png": (_writer_of(_encode_picture("PNG").replace(b"IDAT", b"IDAX")), "its PNG header is damaged"),
    "damaged.pdf": (_writer_of(b"%PDF-1.7\n" + random.Random(3).randbytes(3000)), "is damaged beyond reading"),
    "noise.mkv": (_write_noise, NO_MEDIA),
    "text.mp4": (_writer_of(b"Dear diary, today I learned how to write.\n" * 40), NO_MEDIA),
    "playlist.mp4": (_writer_of(b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n#EXT-X-ENDLIST\n"), NO_MEDIA),
    "huge.png": (_writer_of(_png_bytes(50_000, 50_000, 1)), "50000 x 50000 pixels, over the limit of 200 megapixels"),
    "bomb.png": (_writer_of(_png_bytes(14_000, 14_000, 14_000)), "needs more than 512 MB of memory"),
    "locked.pdf": (lambda path: _write_pdf(path, "secret", "sesame"), "needs a password"),
    "long.pdf": (_writer_of(_pdf_with_pages(5000)), "5000 pages, over the limit of 2000 pages"),
    "pipe.mp4": (os.mkfifo, "is a pipe, not a file"),
    "loop": (lambda path: path.symlink_to(path.parent), "is a link back to a folder above it"),
    "circle.png": (lambda path: path.symlink_to(path), "cannot be read (too many levels of symbolic links)"),
    "gone.png": (lambda path: path.symlink_to(path.parent / "nowhere"), "there is no such file"),
}


# What holds all the same


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    _write_pdf(tmp_path / "media" / "good.pdf", GOOD_TEXT)
    return tmp_path / "media"


def _index(container: Container, *paths: Path) -> dict[str, FileReport]:
    return {Path(line.name).name: line for line in container.indexing.index_paths(list(paths), "default")}


def _search_names(container: Container, text: str) -> list[str]:
    return [moment.asset.name for moment in container.retrieval.search(Query(text), NO_FILTERS, 10)]


def _check_complete(container: Container, names: set[str]) -> None:
    """These assets and no others are seen, and all of each is there: catalog, artifacts, index, search."""
    assets = container.catalog.assets()
    assert {asset.name for asset in assets} == names
    assert container.index.segment_counts() == {asset.asset_id: asset.segments for asset in assets}
    for asset in assets:
        manifest = container.artifacts.read_manifest(asset.asset_id, asset.version)
        stored = sum(len(record.segments) for record, _ in container.artifacts.read_checkpoints(manifest))
        assert stored == manifest.segments
    for name, words in {"earlier.pdf": EARLIER_TEXT, "good.pdf": GOOD_TEXT}.items():
        assert (name in _search_names(container, words)) == (name in names)


# One after the other


@pytest.fixture(scope="module")
def run(
    loaded: Container, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Container, dict[str, FileReport]]]:
    """All that is bad in one folder with a good file, indexed after another good one."""
    root = tmp_path_factory.mktemp("bad")
    (root / "media").mkdir()
    for name, (make, _) in BAD_FILES.items():
        make(root / "media" / name)
    _write_pdf(root / "media" / "good.pdf", GOOD_TEXT)
    _write_pdf(root / "earlier.pdf", EARLIER_TEXT)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AFTERIMAGE_HOME", str(root / "home"))
        patched.setenv("AFTERIMAGE_MEDIA__MEMORY_MB", "512")
        container = Container(load_settings("demo"))
    container.__dict__.update(sentence_encoder=loaded.sentence_encoder, ocr_engines=loaded.ocr_engines)
    _index(container, root / "earlier.pdf")
    yield container, _index(container, root / "media")
    container.close()


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_gets_one_line_with_the_reason(run: tuple[Container, dict[str, FileReport]], name: str) -> None:
    line = run[1][name]
    assert line.outcome is Outcome.FAILED
    assert line.asset is None
    assert BAD_FILES[name][1] in line.reason
    assert len(line.reason) < 160 and line.reason.isprintable()


def test_bad_files_cost_nothing_but_themselves(run: tuple[Container, dict[str, FileReport]]) -> None:
    container, lines = run
    assert {name for name, line in lines.items() if line.outcome is Outcome.INDEXED} == {"good.pdf"}
    assert len(lines) == len(BAD_FILES) + 1
    _check_complete(container, {"earlier.pdf", "good.pdf"})


def test_all_of_them_at_once_are_a_line_each_and_exit_code_1(cli: RunCommand, folder: Path) -> None:
    names = [name for name in BAD_FILES if name != "bomb.png"]
    for name in names:
        BAD_FILES[name][0](folder / name)
    result = cli(None, "index", folder)
    assert result.exit_code == 1
    assert len(result.error_lines) == len(names)
    for name in names:
        (line,) = [line for line in result.error_lines if name in line.split(": ")[0]]
        assert line.startswith("failed ") and BAD_FILES[name][1] in line
    assert result.stdout.splitlines() == ["indexed good.pdf", f"{len(names)} failed, 1 indexed"]
    again = cli(None, "index", folder, "--json")
    assert again.exit_code == 1
    assert {line["outcome"] for line in again.json["sources"]} == {"failed", "unchanged"}


def test_a_wrong_suffix_does_not_matter_and_text_in_a_folder_is_passed_over(
    services: MakeContainer, folder: Path
) -> None:
    (folder / "photo.mp4").write_bytes(_encode_picture("JPEG"))
    (folder / "notes.txt").write_text("Dear diary, today I learned how to write.\n" * 40)
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><text>hello</text></svg>")
    container = services()
    lines = _index(container, folder)
    assert lines["photo.mp4"].asset is not None and lines["photo.mp4"].asset.kind == "image"
    assert lines["notes.txt"].outcome is lines["drawing.svg"].outcome is Outcome.SKIPPED
    named = _index(container, folder / "notes.txt")["notes.txt"]
    assert (named.outcome, named.reason) == (Outcome.FAILED, NO_MEDIA)


def test_a_file_that_breaks_keeps_what_was_indexed_of_it(services: MakeContainer, folder: Path) -> None:
    container = services()
    before = _index(container, folder)["good.pdf"].asset
    (folder / "good.pdf").write_bytes((folder / "good.pdf").read_bytes()[:100])
    line = _index(container, folder)["good.pdf"]
    assert (line.outcome, line.reason) == (Outcome.FAILED, "is damaged beyond reading")
    _check_complete(container, {"good.pdf"})
    assert container.catalog.find("good.pdf") == before


def _falsify_mp4_duration(path: Path, factor: int) -> None:
    film = bytearray(_video_bytes(path))
    for box, offset in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = film.index(box) + offset
        film[at : at + 4] = struct.pack(">I", struct.unpack(">I", film[at : at + 4])[0] * factor)
    path.write_bytes(film)


def _falsify_mkv_duration(path: Path, factor: int) -> None:
    film = bytearray(_video_bytes(path))
    at = film.index(b"\x44\x89\x88") + 3
    film[at : at + 8] = struct.pack(">d", struct.unpack(">d", film[at : at + 8])[0] * factor)
    path.write_bytes(film)


@pytest.mark.parametrize(
    ("name", "lie", "factor", "said"),
    [
        ("film.mp4", _falsify_mp4_duration, 100, ""),
        ("film.mp4", _falsify_mp4_duration, 0, "its header promises 0.0 s, it holds 2.0 s"),
        ("film.mkv", _falsify_mkv_duration, 100, "its header promises 200.0 s, it holds 2.0 s"),
    ],
)
def test_a_header_that_lies_about_its_length_is_not_believed(
    services: MakeContainer, folder: Path, name: str, lie: Callable[[Path, int], None], factor: int, said: str
) -> None:
    lie(folder / name, factor)
    container = services()
    line = _index(container, folder)[name]
    assert (line.outcome, line.reason) == (Outcome.INDEXED, said)
    assert line.asset is not None and line.asset.duration_s == pytest.approx(2.0, abs=0.1)
    assert line.asset.warnings == ((said,) if said else ())
    _check_complete(container, {name, "good.pdf"})


def test_names_that_are_no_text_are_shown_on_one_line_and_found_again(
    cli: RunCommand, services: MakeContainer, folder: Path
) -> None:
    (folder / "good.pdf").unlink()
    odd = [b"caf\xe9.pdf", b"two\nlines.pdf", b"\x1b[31mred.pdf", b"[bold]:smile: \\.pdf"]
    for number, name in enumerate(odd):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        _write_pdf(path, f"Number {number}. {GOOD_TEXT}")
    result = cli(None, "index", folder)
    assert result.exit_code == 0, result.stderr
    displayed_names = ["\ufffd[31mred.pdf", "[bold]:smile: \\.pdf", "caf\ufffd.pdf", "two\ufffdlines.pdf"]
    assert result.stdout.splitlines() == [*(f"indexed {name}" for name in displayed_names), "4 indexed"]
    assert sorted(asset["name"] for asset in cli(None, "list", "--json").json) == sorted(displayed_names)
    for name in displayed_names:
        assert name in cli(None, "show", name).stdout
    assert cli(None, "show", os.fsdecode(b"caf\xe9.pdf")).exit_code == 0
    assert cli(None, "search", os.fsdecode(b"caf\xe9")).error_lines == ["error: the question is not valid text (UTF-8)"]


def test_a_folder_of_great_depth_is_searched_through(services: MakeContainer, folder: Path) -> None:
    at = folder
    for _ in range(700):
        at /= "d"
        at.mkdir()
    shutil.copy(folder / "good.pdf", at / "deep.pdf")
    assert {line.outcome for line in _index(services(), folder).values()} == {Outcome.INDEXED}


def _drop_permission_capabilities() -> None:
    """As root, give up the right to read what is forbidden (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.slow
def test_what_may_not_be_read_is_named_and_the_others_go_on(folder: Path, tmp_path: Path) -> None:
    (folder / "secret.png").write_bytes(_encode_picture("PNG"))
    (folder / "secrets").mkdir()
    for path in (folder / "secret.png", folder / "secrets"):
        path.chmod(0)
    run = subprocess.run(
        [sys.executable, "-m", "api.cli", "index", "--json", str(folder)],
        env=os.environ | {"AFTERIMAGE_HOME": str(tmp_path / "home"), "AFTERIMAGE_PROFILE": "demo"},
        preexec_fn=_drop_permission_capabilities,
        capture_output=True,
        check=False,
    )
    (folder / "secrets").chmod(stat.S_IRWXU)
    lines = {Path(line["name"]).name: line for line in json.loads(run.stdout)["sources"]}
    assert run.returncode == 1, run.stderr
    assert run.stderr == b""
    assert lines["good.pdf"]["outcome"] == "indexed"
    for name in ("secret.png", "secrets"):
        assert (lines[name]["outcome"], lines[name]["asset"]) == ("failed", None)
        assert "permission denied" in lines[name]["reason"].lower()


def test_a_home_that_cannot_be_is_one_line(cli: RunCommand, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in (("index", folder), ("list",), ("search", "marmalade"), ("reindex",)):
        result = cli(tmp_path / "file", *command)
        assert result.exit_code == 1
        (line,) = result.error_lines
        assert line.startswith(f"error: {tmp_path / 'file'}")
    result = cli(tmp_path / "file", "doctor", "--json")
    states = {check["part"]: check["state"] for check in result.json["checks"]}
    assert result.exit_code == 1
    assert states["home"] == states["index"] == states["catalog"] == "failed"
    assert states["documents"] == "ok"


# A disk that fills up


@contextmanager
def _limit_file_size(size: int) -> Iterator[None]:
    """Writing a file beyond that many bytes fails, as it does over a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _index_on_full_disk(container: Container, folder: Path) -> tuple[dict[str, FileReport], StorageFull | None]:
    """The lines of a run on a disk that may be full; where even its end could not be written, the error too."""
    lines: dict[str, FileReport] = {}
    try:
        for line in container.indexing.index_paths([folder], "default"):
            lines[line.name] = line
    except StorageFull as error:
        return lines, error
    return lines, None


@pytest.mark.parametrize("size", [0, 2000, 64 << 10, 330_000])
def test_a_quota_that_is_reached_loses_nothing_and_half_indexes_nothing(
    services: MakeContainer, folder: Path, tmp_path: Path, size: int
) -> None:
    _write_pdf(tmp_path / "earlier.pdf", EARLIER_TEXT)
    _index(services(), tmp_path / "earlier.pdf")
    container = services()
    with _limit_file_size(size):
        lines, error = _index_on_full_disk(container, folder)
    failed = [line for line in lines.values() if line.outcome is Outcome.FAILED]
    assert failed or error is not None or size > 300_000
    for line in failed:
        assert "cannot be written" in line.reason or "no space left" in line.reason, line.reason
    for each_container in (container, services()):
        _check_complete(each_container, {"earlier.pdf"} | ({"good.pdf"} if lines and not failed else set()))
    lines = _index(container, folder)
    assert lines["good.pdf"].outcome in (Outcome.INDEXED, Outcome.UNCHANGED)
    _check_complete(container, {"earlier.pdf", "good.pdf"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("free_kb", [0, 40, 80, 120])
def test_a_disk_that_fills_up_loses_nothing_and_half_indexes_nothing(
    small_disk: Path, services: MakeContainer, folder: Path, tmp_path: Path, free_kb: int
) -> None:
    home = small_disk / "home"
    _write_pdf(tmp_path / "earlier.pdf", EARLIER_TEXT)
    first = services(home)
    _index(first, tmp_path / "earlier.pdf")
    first.close()
    space = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(space.f_bavail * space.f_frsize - (free_kb << 10)))
    lines, error = _index_on_full_disk(services(home), folder)
    failed = [line for line in lines.values() if line.outcome is Outcome.FAILED]
    assert failed or error is not None or free_kb > 100
    for line in failed:
        assert "full" in line.reason or "no space left" in line.reason, line.reason
    (small_disk / "filler").unlink()
    container = services(home)
    _check_complete(container, {"earlier.pdf"} | ({"good.pdf"} if lines and not failed else set()))
    _index(container, folder)
    _check_complete(container, {"earlier.pdf", "good.pdf"})


def test_a_full_disk_is_one_line_for_each_file_and_exit_code_1(small_disk: Path, cli: RunCommand, folder: Path) -> None:
    home = small_disk / "home"
    assert cli(home, "index", folder).exit_code == 0
    _write_pdf(folder / "more.pdf", EARLIER_TEXT)
    space = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(space.f_bavail * space.f_frsize - (100 << 10)))
    result = cli(home, "index", folder)
    assert result.exit_code == 1
    assert [line for line in result.error_lines if line.startswith("failed more.pdf: ")]
    assert result.stdout.splitlines()[0] == "unchanged good.pdf"
    assert [asset["name"] for asset in cli(home, "list", "--json").json] == ["good.pdf"]
    assert cli(home, "search", GOOD_TEXT).exit_code == 0
