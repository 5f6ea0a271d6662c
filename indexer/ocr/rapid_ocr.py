"""Text in pictures, by the PP-OCR models that come inside the rapidocr package."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from indexer.errors import ModelError
from indexer.ocr.reading_order import Rect, sort_in_reading_order
from indexer.types import Pixels

_SIDE_MULTIPLE = 32
_LINE_HEIGHT_PX = 48
_MAX_LINE_WIDTH_PX = 3200
_MIN_VERTICAL_RATIO = 1.5
_LEVEL_STEP = np.float32(2 / 255)


@dataclass(frozen=True, slots=True)
class _OcrModels:
    detector: onnxruntime.InferenceSession
    recognizer: onnxruntime.InferenceSession
    extract_boxes: Any
    decode: Any


class _LazyModels:
    """The sessions, loaded once for all readers that share them."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._models: _OcrModels | None = None

    @cached_property
    def model_files(self) -> tuple[Path, Path]:
        spec = find_spec("rapidocr")
        if spec is None or spec.origin is None:
            raise ModelError("the text reader is not installed: pip install rapidocr")
        folder = Path(spec.origin).parent / "models"
        found = [sorted(folder.glob(f"*_{step}_*.onnx")) for step in ("det", "rec")]
        if not all(found):
            raise ModelError(f"{folder}: the PP-OCR models (…_det_….onnx, …_rec_….onnx) are missing")
        return found[0][-1], found[1][-1]

    def load(self) -> _OcrModels:
        with self._lock:
            if self._models is None:
                self._models = self._load_models()
            return self._models

    def _load_models(self) -> _OcrModels:
        detector, recogniser = (self._open_session(file) for file in self.model_files)
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        try:
            from rapidocr.ch_ppocr_det.utils import DBPostProcess
            from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

            characters = recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
            boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)
            return _OcrModels(detector, recogniser, boxes, CTCLabelDecode(character=characters))
        except (ImportError, KeyError, TypeError) as error:
            raise ModelError(f"this version of rapidocr cannot be used: {error}") from error

    def _open_session(self, file: Path) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{file}: cannot be loaded: {error}") from error


class RapidOcrEngine:
    """Reads Latin and Chinese script with the weights of the installed package; nothing is ever fetched.

    Detection looks at the picture with its longer side shrunk to `longest_side` pixels, which bounds its cost: 736
    finds lines from 12 pixels of height in 1280 x 720. Recognition reads from the full picture, a line at a time (the
    fastest way here); lines that stand on end are read both ways, upside-down text is not looked for. `threads` are
    the reader's own, and sleep when idle. Errors, at first use: ModelError.
    """

    def __init__(self, threads: int = 1, *, max_side_px: int = 736) -> None:
        self._max_side_px = max_side_px
        self._models = _LazyModels(threads)

    def with_max_side(self, max_side_px: int) -> RapidOcrEngine:
        """A reader of the same weights with another limit, say for pages, whose lines are small."""
        other = RapidOcrEngine(max_side_px=max_side_px)
        other._models = self._models
        return other

    @property
    def model_id(self) -> str:
        detector, recogniser = self._models.model_files
        return f"rapidocr:{detector.stem}+{recogniser.stem}@{self._max_side_px}"

    def detect(self, picture: Pixels) -> NDArray[np.float32]:
        """`[n, 4, 2]` float32 in pixels, corners clockwise from the text's upper left, in reading order."""
        loaded = self._models.load()
        heat = loaded.detector.run(None, {"x": _detector_input(picture, self._max_side_px)})[0]
        quads = np.asarray(loaded.extract_boxes(heat, picture.shape[:2])[0], dtype=np.float32).reshape(-1, 4, 2)
        return quads[sort_in_reading_order([Rect.around(quad) for quad in quads])]

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        """For each quadrilateral its text and a confidence, the mean over its characters."""
        loaded = self._models.load()
        return [max(_recognize_orientations(loaded, picture, quad), key=lambda reading: reading[1]) for quad in quads]


def _recognize_orientations(
    models: _OcrModels, picture: Pixels, quad: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    tall = max(sides[1], sides[3]) >= _MIN_VERTICAL_RATIO * max(sides[0], sides[2])
    for turned in (np.roll(quad, -1, axis=0), np.roll(quad, 1, axis=0)) if tall else (quad,):
        scores = models.recognizer.run(None, {"x": _recognizer_input(picture, turned)})[0]
        text, confidence = models.decode(scores)[0][0]
        yield " ".join(text.split()), float(confidence)


def _detector_input(picture: Pixels, max_side_px: int) -> NDArray[np.float32]:
    scale = min(1.0, max_side_px / max(picture.shape[:2]))
    height, width = (
        max(_SIDE_MULTIPLE, round(side * scale / _SIDE_MULTIPLE) * _SIDE_MULTIPLE) for side in picture.shape[:2]
    )
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return _to_input_tensor(cv2.resize(picture, (width, height), interpolation=kind))


def _recognizer_input(picture: Pixels, quad: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    width, height = max(1.0, sides[0], sides[2]), max(1.0, sides[1], sides[3])
    across = min(_MAX_LINE_WIDTH_PX, max(_LINE_HEIGHT_PX, int(np.ceil(_LINE_HEIGHT_PX * width / height))))
    times = max(1, int(height // _LINE_HEIGHT_PX))
    size = (across * times, _LINE_HEIGHT_PX * times)
    corners = np.array([[0, 0], [size[0], 0], [*size], [0, size[1]]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad, dtype=np.float32), corners)
    line = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if times > 1:
        line = cv2.resize(line, (across, _LINE_HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return _to_input_tensor(line)


def _to_input_tensor(rgb: cv2.typing.MatLike) -> NDArray[np.float32]:
    """`[1, 3, height, width]` in [-1, 1], channels blue, green, red, as the models were trained."""
    return np.ascontiguousarray((rgb[:, :, ::-1] * _LEVEL_STEP - np.float32(1)).transpose(2, 0, 1)[None])
