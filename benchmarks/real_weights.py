"""The comparison of `benchmarks.long_video_qa` on a checkpoint of your own, in its own prompt layout.

    python -m benchmarks.real_weights --model hf-hub:llava-hf/llava-onevision-qwen2-0.5b-ov-hf --minutes 10 --compare 10

The drawn world's small model was trained on the very layout in which it is asked, so it cannot tell alone whether
memory and retrieval help. Videos, questions and scoring are the same; the search model can be named too. Nothing has a
target here: the figures are those of your models.
"""

from __future__ import annotations

import sys

from benchmarks.long_video_qa import load_evaluation_settings, make_evaluation_parser, measure_accuracy, run
from benchmarks.report import Figure, report


def main() -> int:
    """Run the command line."""
    parser = make_evaluation_parser(__doc__ or "")
    parser.add_argument("--model", required=True, help="a OneVision checkpoint: local-dir:, package: or hf-hub: name")
    parser.add_argument("--visual", help="open_clip model to search with (default: the drawn world's)")
    parser.add_argument("--budget", type=int, default=8192, help="maximum tokens of a prompt")
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
        Figure(f"{strategy}, {minutes} minutes", measure_accuracy(scores))
        for minutes, by_strategy in evaluation_run.scores.items()
        for strategy, scores in by_strategy.items()
    ]
    return report(args.model, figures, args.check, args.json)


if __name__ == "__main__":
    sys.exit(main())
