"""The comparison of `benchmarks.long_video_qa` on a checkpoint that you name, in its own layout.

    python -m benchmarks.real_weights --model hf-hub:llava-hf/llava-onevision-qwen2-0.5b-ov-hf --minutes 10 --compare 10

The small model of the drawn world was taught the very layout in which it is asked, so it cannot say alone whether
memory and retrieval help. The videos, the questions and the marks are the same; what is searched with can be named too.
Nothing has a target here: the figures are those of your models.
"""

from __future__ import annotations

import sys

from benchmarks.long_video_qa import settings_of, share, sit, sitting_arguments
from benchmarks.report import Figure, report


def main() -> int:
    """The command."""
    parser = sitting_arguments(__doc__ or "")
    parser.add_argument("--model", required=True, help="a OneVision checkpoint: local-dir:, package: or hf-hub: name")
    parser.add_argument("--visual", help="an open_clip model to search with; the drawn world's, if not named")
    parser.add_argument("--budget", type=int, default=8192, help="tokens of a prompt at most")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    given = parser.parse_args()
    environment = {
        "AFTERIMAGE_GENERATOR__KIND": "onevision",
        "AFTERIMAGE_GENERATOR__MODEL": given.model,
        "AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS": str(given.budget),
        "AFTERIMAGE_GENERATOR__DEVICE": given.device,
    }
    if given.visual:
        environment["AFTERIMAGE_VISUAL__MODEL"] = given.visual
    sitting = sit(settings_of(environment), given)
    found = [
        Figure(f"{view}, {minutes} minutes", share(marks))
        for minutes, views in sitting.marks.items()
        for view, marks in views.items()
    ]
    return report(given.model, found, given.check, given.json)


if __name__ == "__main__":
    sys.exit(main())
