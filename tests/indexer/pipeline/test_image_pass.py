"""Pictures, documents and videos through the pipeline: tiles of long pictures, and what files say about themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from reportlab.pdfgen.canvas import Canvas

from indexer.media.jpeg import decode_jpeg
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.encoding import IndexingSettings, ModelSet
from indexer.pipeline.pipeline import IndexSource, Pipeline
from indexer.storage.artifacts import ArtifactStore, Manifest
from indexer.storage.folder_blobs import FolderBlobs
from indexer.types import Lane, Origin, Segment
from tests.indexer.ocr.test_tiles import BarReader, draw_bars
from tests.support.small_archive import make_document
from tests.support.video_fixtures import write_tagged_video

ASSET = "cd" * 32


class LengthEncoder:
    """Sentence encoder whose vectors tell texts apart by their length, and picture encoder by their mean colour."""

    model_id, dim = "lengths", 2

    def encode(self, texts: list[str]) -> np.ndarray:
        angles = np.array([len(text) for text in texts], np.float32) / 100
        return np.stack([np.cos(angles), np.sin(angles)], axis=1) if texts else np.empty((0, 2), np.float32)

    encode_queries = encode

    def encode_images(self, pictures: list[np.ndarray]) -> np.ndarray:
        angles = np.array([picture.mean() for picture in pictures], np.float32) / 100
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.fixture(scope="module")
def media() -> Iterator[SandboxedDecoder]:
    with SandboxedDecoder() as decoder:
        yield decoder


def index(media: SandboxedDecoder, folder: Path, path: Path) -> tuple[ArtifactStore, Pipeline, Manifest]:
    encoder = LengthEncoder()
    models = ModelSet(visual=encoder, text=encoder, page_ocr=BarReader())  # type: ignore[arg-type]  # one for both ports
    artifacts = ArtifactStore(FolderBlobs(folder))
    pipeline = Pipeline(media, artifacts, models, IndexingSettings())
    return artifacts, pipeline, pipeline.run(IndexSource(path, ASSET, media.probe(path)))


def segments_of(artifacts: ArtifactStore, manifest: Manifest) -> tuple[Segment, ...]:
    return artifacts.read_checkpoint_record(manifest, 0).segments


def test_a_long_picture_is_embedded_and_cited_in_tiles(media: SandboxedDecoder, tmp_path: Path) -> None:
    tops = list(range(30, 7900, 97))
    path = tmp_path / "chat.png"
    Image.fromarray(draw_bars(400, 8000, tops)).save(path)
    artifacts, pipeline, manifest = index(media, tmp_path / "blobs", path)
    segments = segments_of(artifacts, manifest)
    pictures = [segment for segment in segments if segment.origin is Origin.PICTURE]
    texts = [segment for segment in segments if segment.origin is Origin.OCR]
    assert pictures[0].box is None and len(pictures) > 5
    (batch,) = [batch for batch in pipeline.read_batches(manifest) if batch.segments]
    assert len(batch.vectors[Lane.VISUAL]) == len(pictures)
    assert sum(segment.text.count("line") for segment in texts) == len(tops)
    for segment in texts:
        assert segment.box is not None and segment.picture is not None
        region = segment.picture.region
        assert region is not None
        shown = decode_jpeg(artifacts.read_picture(segment.picture))
        inside = segment.box.relative_to(region)
        top = round(inside.y0 * shown.shape[0])
        assert shown[top + 5, shown.shape[1] // 2, 0] < 90
        assert shown[max(0, top - 8), shown.shape[1] // 2, 0] > 160


def test_tiles_outlive_a_change_of_model(media: SandboxedDecoder, tmp_path: Path) -> None:
    path = tmp_path / "chat.png"
    Image.fromarray(draw_bars(400, 8000, [1000, 5000])).save(path)
    artifacts, _, manifest = index(media, tmp_path / "blobs", path)
    other = LengthEncoder()
    other.model_id = "other lengths"
    models = ModelSet(visual=other, text=other, page_ocr=BarReader())  # type: ignore[arg-type]
    again = Pipeline(media, artifacts, models, IndexingSettings()).reencode(manifest)
    assert again.version != manifest.version
    before, after = (
        [(segment.origin, segment.box, segment.text, segment.picture and segment.picture.region) for segment in each]
        for each in (segments_of(artifacts, manifest), segments_of(artifacts, again))
    )
    assert after == before


def test_an_ordinary_photo_has_one_picture(media: SandboxedDecoder, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(draw_bars(1200, 1600, [100])).save(path)
    artifacts, _, manifest = index(media, tmp_path / "blobs", path)
    picture, text = segments_of(artifacts, manifest)
    assert (picture.origin, picture.box, text.origin) == (Origin.PICTURE, None, Origin.OCR)
    assert picture.picture is not None and picture.picture.region is None


def test_what_a_photo_says_of_itself_is_text_of_its_own_origin(media: SandboxedDecoder, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "Launch of the lifeboat at Cromer"
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (320, 200), "white").save(path, exif=exif)
    artifacts, _, manifest = index(media, tmp_path / "blobs", path)
    picture, text = segments_of(artifacts, manifest)
    assert (text.origin, text.text) == (Origin.METADATA, "Description: Launch of the lifeboat at Cromer")
    assert (text.page, text.box, text.start_s, text.picture) == (None, None, None, picture.picture)


def test_what_a_video_says_of_itself_lasts_as_long_as_it_does(media: SandboxedDecoder, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_tagged_video(path, {"title": "Regatta at Henley"})
    artifacts, _, manifest = index(media, tmp_path / "blobs", path)
    (text,) = (segment for segment in segments_of(artifacts, manifest) if segment.origin is Origin.METADATA)
    assert (text.text, text.start_s, text.picture) == ("Title: Regatta at Henley", 0.0, None)
    assert text.end_s == pytest.approx(1.0, abs=0.05)


def test_what_a_document_says_of_itself_is_on_its_first_page(media: SandboxedDecoder, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    canvas = Canvas(str(path))
    canvas.setTitle("Survey of the northern harbour")
    for text in ("Page one", "Page two"):
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    artifacts, _, manifest = index(media, tmp_path / "blobs", path)
    (text,) = (segment for segment in segments_of(artifacts, manifest) if segment.origin is Origin.METADATA)
    assert (text.text, text.page) == ("Title: Survey of the northern harbour", 1)
    assert text.picture == segments_of(artifacts, manifest)[0].picture


def test_a_file_that_says_nothing_has_no_text_of_metadata(media: SandboxedDecoder, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    make_document(path, "Page one")
    artifacts, _, manifest = index(media, tmp_path / "blobs", path)
    assert Origin.METADATA not in {segment.origin for segment in segments_of(artifacts, manifest)}
