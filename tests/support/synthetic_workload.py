"""Synthetic workload of the indexing benchmarks: a film, and an encoder of usual size.

The weights are random: speed and memory do not depend on what a model knows.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ENCODER_NAME = "ViT-B-32"


def make_encoder(folder: Path) -> str:
    """Make a ViT-B-32 of open_clip with random weights; gives the name to load it by."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = open_clip.create_model(ENCODER_NAME)
    preprocess = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic"}
    config = {"model_cfg": open_clip.get_model_config(ENCODER_NAME), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def make_film(path: Path, seconds: int, width: int, height: int, fps: int, scene_s: int, pan_every: int = 2) -> Path:
    """H.264 with x264's default structure (key frames 250 apart): textured scenes of `scene_s` seconds with a line of
    text that names each; the camera pans over one of `pan_every`, the others stand still."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"preset": "veryfast" if width > 640 else "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for number in range(seconds * fps):
            scene, step = divmod(number, scene_s * fps)
            if step == 0:
                canvas = _draw_scene(scene, width, height)
            shift = (step // 2) % (canvas.shape[1] - width) if scene % pan_every == 1 else 0
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(canvas[:, shift : shift + width]), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _draw_scene(number: int, width: int, height: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(number)
    coarse = random.integers(0, 255, (9, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width * 3 // 2, height), Image.Resampling.BICUBIC)
    grain = random.integers(0, 24, (height, width * 3 // 2, 1), dtype=np.uint8)
    canvas = Image.fromarray(np.asarray(picture) // 2 + 90 + grain)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(16, height // 14))
    pen.rectangle((width // 8, height // 3, width, height // 3 + height // 5), fill="white")
    pen.text(
        (width // 6, height // 3 + height // 20), f"Scene {number}: platform {number % 17}", font=font, fill="black"
    )
    return np.asarray(canvas)
