"""OCR by the PP-OCR models that the rapidocr package contains, run by ONNX Runtime."""

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
from indexer.ocr.line_pictures import is_vertical, rectify_line
from indexer.ocr.reading_order import Rect, sort_in_reading_order
from indexer.types import Pixels

_SIDE_MULTIPLE = 32  # Source: PP-OCR, the stride of its detector
_LINE_HEIGHT_PX = 48  # Source: PP-OCR, input height of its recognizer
_LEVEL_STEP = np.float32(2 / 255)  # Source: PP-OCR, inputs in [-1, 1]


@dataclass(frozen=True, slots=True)
class _OcrModels:
    """Loaded models: detector, recognizer, and the postprocessing of rapidocr for each."""

    detector: onnxruntime.InferenceSession
    recognizer: onnxruntime.InferenceSession
    extract_boxes: Any
    decode: Any


class _LazyModels:
    """Thread-safe lazy loading of models that several engines share."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._models: _OcrModels | None = None

    @cached_property
    def model_files(self) -> tuple[Path, Path]:
        """Paths of detector and recognizer in the installed package. Errors: ModelError."""
        spec = find_spec("rapidocr")
        if spec is None or spec.origin is None:
            raise ModelError("OCR is not installed: pip install rapidocr")
        folder = Path(spec.origin).parent / "models"
        files = [sorted(folder.glob(f"*_{step}_*.onnx")) for step in ("det", "rec")]
        if not all(files):
            raise ModelError(f"{folder}: the PP-OCR models (…_det_….onnx, …_rec_….onnx) are missing")
        return files[0][-1], files[1][-1]

    def load(self) -> _OcrModels:
        """Return the models, loaded at the first call. Errors: ModelError."""
        with self._lock:
            if self._models is None:
                self._models = self._load_models()
            return self._models

    def _load_models(self) -> _OcrModels:
        """Load both models; the postprocessing has rapidocr's own parameters. Errors: ModelError."""
        detector, recognizer = (self._open_session(file) for file in self.model_files)
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        try:
            from rapidocr.ch_ppocr_det.utils import DBPostProcess
            from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

            characters = recognizer.get_modelmeta().custom_metadata_map["character"].splitlines()
            boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)
            return _OcrModels(detector, recognizer, boxes, CTCLabelDecode(character=characters))
        except (ImportError, KeyError, TypeError) as error:
            raise ModelError(f"this version of rapidocr cannot be used: {error}") from error

    def _open_session(self, file: Path) -> onnxruntime.InferenceSession:
        """Open a model for the CPU, with threads that sleep when idle. Errors: ModelError."""
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
    """OCR engine for Latin and Chinese script with the weights of the installed package; nothing is downloaded.

    Detection runs on the picture with its longer side reduced to `max_side_px`, which bounds its cost: 736 finds lines
    from 12 pixels of height in 1280 x 720. Recognition reads from the full picture, one line at a time; vertical lines
    are read in both directions, upside-down text is not supported. `threads` belong to this engine and sleep when idle.
    Errors, at first use: ModelError.
    """

    def __init__(self, threads: int = 1, *, max_side_px: int = 736) -> None:
        self._max_side_px = max_side_px
        self._models = _LazyModels(threads)

    def with_max_side(self, max_side_px: int) -> RapidOcrEngine:
        """Return an engine that shares the weights and has another limit, as for pages, whose lines are small."""
        other = RapidOcrEngine(max_side_px=max_side_px)
        other._models = self._models
        return other

    @property
    def model_id(self) -> str:
        """Identifier of the models and the detection limit."""
        detector, recognizer = self._models.model_files
        return f"rapidocr:{detector.stem}+{recognizer.stem}@{self._max_side_px}"

    def detect(self, picture: Pixels) -> NDArray[np.float32]:
        """Return text boxes `[n, 4, 2]` float32 in pixels, corners clockwise from the upper left, in reading order."""
        models = self._models.load()
        heatmap = models.detector.run(None, {"x": _detector_input(picture, self._max_side_px)})[0]
        quads = np.asarray(models.extract_boxes(heatmap, picture.shape[:2])[0], dtype=np.float32).reshape(-1, 4, 2)
        return quads[sort_in_reading_order([Rect.around(quad) for quad in quads])]

    def recognize(self, picture: Pixels, quads: NDArray[np.float32]) -> list[tuple[str, float]]:
        """Return text and confidence (mean over its characters, in [0, 1]) of each text box."""
        models = self._models.load()
        return [max(_recognize_orientations(models, picture, quad), key=lambda reading: reading[1]) for quad in quads]


def _recognize_orientations(
    models: _OcrModels, picture: Pixels, quad: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    """Yield text and confidence of a box; of a vertical one for both directions."""
    for turned in (np.roll(quad, -1, axis=0), np.roll(quad, 1, axis=0)) if is_vertical(quad) else (quad,):
        scores = models.recognizer.run(None, {"x": _recognizer_input(picture, turned)})[0]
        text, confidence = models.decode(scores)[0][0]
        yield " ".join(text.split()), float(confidence)


def _detector_input(picture: Pixels, max_side_px: int) -> NDArray[np.float32]:
    """Return the input of the detector: the picture reduced, its sides multiples of the detector's stride."""
    scale = min(1.0, max_side_px / max(picture.shape[:2]))
    height, width = (
        max(_SIDE_MULTIPLE, round(side * scale / _SIDE_MULTIPLE) * _SIDE_MULTIPLE) for side in picture.shape[:2]
    )
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return _to_input_tensor(cv2.resize(picture, (width, height), interpolation=kind))


def _recognizer_input(picture: Pixels, quad: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the input of the recognizer: the text box rectified to its line height."""
    return _to_input_tensor(rectify_line(picture, quad, _LINE_HEIGHT_PX))


def _to_input_tensor(rgb: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Return an RGB picture as `[1, 3, height, width]` in [-1, 1], channels blue, green, red, as the models expect."""
    return np.ascontiguousarray((rgb[:, :, ::-1] * _LEVEL_STEP - np.float32(1)).transpose(2, 0, 1)[None])
