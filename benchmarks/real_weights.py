"""The comparison of `benchmarks.long_video_qa` on a checkpoint that you name, in its own layout.

    python -m benchmarks.real_weights --model hf-hub:llava-hf/llava-onevision-qwen2-0.5b-ov-hf --minutes 10 --compare 10

The small model of the drawn world was taught the very layout in which it is asked, so it cannot say alone whether
memory and retrieval help. The videos, the questions and the marks are the same; what is searched with can be named too.
Nothing has a target here: the figures are those of your models.
"""

from __future__ import annotations

import sys

from benchmarks.long_video_qa import load_evaluation_settings, make_evaluation_parser, measure_accuracy, run
from benchmarks.report import Figure, report


def main() -> int:
    """The command."""
    parser = make_evaluation_parser(__doc__ or "")
    parser.add_argument("--model", required=True, help="a OneVision checkpoint: local-dir:, package: or hf-hub: name")
    parser.add_argument("--visual", help="an open_clip model to search with; the drawn world's, if not named")
    parser.add_argument("--budget", type=int, default=8192, help="tokens of a prompt at most")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    args = parser.parse_args()
    environment = {
        "AFTERIMAGE_GENERATOR__KIND": "onevision",
        "AFTERIMAGE_GENERATOR__MODEL": args.model,
        "AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS": str(args.budget),
        "AFTERIMAGE_GENERATOR__DEVICE": args.device,
    }
    if args.visual:
        environment["AFTERIMAGE_VISUAL__MODEL"] = args.visual
    evaluation_run = run(load_evaluation_settings(environment), args)
    figures = [
        Figure(f"{view}, {minutes} minutes", measure_accuracy(marks))
        for minutes, views in evaluation_run.scores.items()
        for view, marks in views.items()
    ]
    return report(args.model, figures, args.check, args.json)


if __name__ == "__main__":
    sys.exit(main())
