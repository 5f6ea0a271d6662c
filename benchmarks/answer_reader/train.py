"""Train the answer reader on the questions for training of `benchmarks/real_documents`.

On two cores, two processes take some hours:

    torchrun --nproc-per-node 2 -m benchmarks.answer_reader.train --out services/data/answer_reader.safetensors

A question is read beside one passage that answers it and four others that search finds for it. The loss is that of
choosing, among all units of all of them and "none", one that answers. Documents of the bed's two halves are not used.

The questions about one in twelve documents are kept apart: every 100 steps they are read beside eight passages, and the
weights are written where the loss is the least so far.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

import torch
from torch import Tensor, nn

from benchmarks.answer_reader.examples import Example, TrainingSet, build_training_set
from benchmarks.answer_reader.network import UpperLayers
from benchmarks.answer_reader.passages import collect_passages
from benchmarks.real_documents.bed import TRAINING_DATA, load_documents, load_questions
from benchmarks.real_documents.fetch import add_cache_option
from indexer.encoders.multilingual_e5.encoder import MultilingualE5Encoder
from indexer.encoders.multilingual_e5.parts import LayerSession, find_weights, open_parts

_Scorer: TypeAlias = Callable[[Example, Sequence[int]], tuple[Tensor, bool]]

_FIRST_LAYER = 6
"""Chosen: half of the layers read apart, so that half of the work on a passage is done once for all questions."""
_RANK = 32
"""Chosen: 1 million trained numbers, 2 MB; questions for training are thousands, not millions."""
_EXAMPLES_PER_STEP = 16
"""Chosen: common for models of this size; with fewer the loss is noisy, with more there are few steps."""
_WARM_UP_STEPS = 40
"""Chosen: 5 % of the steps of two epochs."""
_MIN_RATE_SHARE = 0.05
"""Chosen: the last steps still move, a little."""
_NEAREST_FIRST = 3
"""Chosen: negative number n (from 0) is drawn with weight 1/(3 + n): near ones often, far ones now and then."""
_PREPARATION_TIMEOUT = timedelta(hours=6)
"""Chosen: the other workers wait while the first one fetches and reads the documents."""
_STEPS_BETWEEN_LINES = 20
"""Form: steps between two lines of progress."""
_STEPS_BETWEEN_VALIDATIONS = 100
"""Chosen: validation takes about a minute, a tenth of the time of these steps."""
_VALIDATED_SHARE = 12
"""Chosen: one in so many documents, some hundred questions: enough to see what is learnt by heart."""
_VALIDATED_EXAMPLES, _VALIDATED_PASSAGES = 240, 8
"""Chosen: questions of these documents that are read, and passages beside each."""


def main() -> int:
    """Run the command line."""
    args = _parse_arguments()
    rank, workers = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if workers > 1:
        torch.distributed.init_process_group("gloo", timeout=_PREPARATION_TIMEOUT)
    torch.set_num_threads(1)
    prepared = [prepare_training_set(args.cache.expanduser()) if rank == 0 else None]
    if workers > 1:
        torch.distributed.broadcast_object_list(prepared)
    data = prepared[0]
    assert data is not None, "the first worker prepares the data for all"
    torch.manual_seed(0)
    frozen_type = torch.bfloat16 if args.bfloat16 else torch.float32
    network = UpperLayers(open_parts(find_weights()), _FIRST_LAYER, _RANK, frozen_type)
    if args.weights:
        network.load(args.weights)
    train(network, data, args, rank, workers)
    return 0


def train(network: UpperLayers, data: TrainingSet, args: argparse.Namespace, rank: int, workers: int) -> None:
    """Take the steps; the first worker prints progress and writes the weights that are best in validation."""
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], args.rate, weight_decay=0.01)
    steps = _Steps(network, optimizer, args.steps, args.rate, workers)
    started_at, losses, least = time.monotonic(), [], math.inf
    score = _make_scorer(network, data)
    training, validation = split_examples(data.examples)
    for example, passages in _draw(training, args.passages, rank, workers):
        example_loss, _ = score(example, passages)
        torch.autograd.backward(example_loss * workers / _EXAMPLES_PER_STEP)
        losses.append(float(example_loss.detach()))
        if len(losses) % (_EXAMPLES_PER_STEP // workers):
            continue
        steps.take()
        is_last = steps.done == args.steps
        if rank == 0 and steps.done % _STEPS_BETWEEN_LINES == 0:
            loss = fmean(losses[-_STEPS_BETWEEN_LINES * _EXAMPLES_PER_STEP // workers :])
            spent_s = time.monotonic() - started_at
            print(f"{steps.done} of {args.steps} steps, loss {loss:.3f}, {spent_s:.0f} s", flush=True)
        if steps.done % _STEPS_BETWEEN_VALIDATIONS == 0 or is_last:
            loss, right = _validate(score, validation[rank::workers], workers)
            if rank == 0:
                print(f"validation: loss {loss:.3f}, right unit chosen {right:.3f}", flush=True)
            if rank == 0 and loss < least:
                network.save(args.out)
            least = min(least, loss)
        if is_last:
            return


def prepare_training_set(cache: Path) -> TrainingSet:
    """Fetch and read the documents for training where that was not done, and make examples of their questions."""
    documents = load_documents(data=TRAINING_DATA)
    placed = collect_passages(documents, cache)
    return build_training_set(
        placed, load_questions(data=TRAINING_DATA), open_parts(find_weights()), MultilingualE5Encoder()
    )


def split_examples(
    examples: Sequence[Example], validated: int = _VALIDATED_EXAMPLES
) -> tuple[list[Example], list[Example]]:
    """Return the examples to learn from, and `validated` of those about other documents, for validation."""
    chosen = [zlib.crc32(example.document.encode()) % _VALIDATED_SHARE == 0 for example in examples]
    kept = [example for example, is_chosen in zip(examples, chosen, strict=True) if is_chosen]
    return (
        [example for example, is_chosen in zip(examples, chosen, strict=True) if not is_chosen],
        random.Random(0).sample(kept, min(len(kept), validated)),
    )


def _validate(score: _Scorer, examples: Sequence[Example], workers: int) -> tuple[float, float]:
    """Return the mean loss over the examples of all workers, and how often the best unit, or "none", is right."""
    sums = torch.zeros(3)
    with torch.no_grad():
        for example in examples:
            chosen = [*example.positives[:1], *example.negatives][:_VALIDATED_PASSAGES]
            if chosen:
                loss, is_right = score(example, chosen)
                sums += torch.tensor([float(loss), float(is_right), 1.0])
    if workers > 1:
        torch.distributed.all_reduce(sums)
    loss, right, number = sums.tolist()
    return loss / number, right / number


def _draw(examples: Sequence[Example], passages: int, rank: int, workers: int) -> Iterator[tuple[Example, list[int]]]:
    """Yield this worker's examples, again and again in random order, each with the passages that it is read beside."""
    for epoch in count():
        order = list(range(len(examples)))
        random.Random(epoch).shuffle(order)
        whole = len(order) // _EXAMPLES_PER_STEP * _EXAMPLES_PER_STEP
        chance = random.Random(f"{epoch} {rank}")
        for number in order[:whole][rank::workers]:
            example = examples[number]
            chosen = [chance.choice(example.positives)] if example.positives else []
            left = list(enumerate(example.negatives))
            while left and len(chosen) < passages:
                drawn = chance.choices(left, [1 / (_NEAREST_FIRST + place) for place, _ in left])[0]
                left.remove(drawn)
                chosen.append(drawn[1])
            chance.shuffle(chosen)
            if chosen:
                yield example, chosen


def _make_scorer(network: UpperLayers, data: TrainingSet) -> _Scorer:
    """Return what gives the loss of an example beside some passages, and whether the best unit, or "none", is right.

    The lower layers, which are the product's, read each passage once.
    """
    parts = open_parts(find_weights())
    lower = LayerSession(parts, range(_FIRST_LAYER))

    def read(ids: Sequence[int]) -> Tensor:
        return torch.from_numpy(lower.run(parts.embed_tokens(ids)))

    @cache
    def read_passage(number: int) -> Tensor:
        return read(data.passages[number].ids)

    def score(example: Example, chosen: Sequence[int]) -> tuple[Tensor, bool]:
        tokenized = [data.passages[number] for number in chosen]
        scores = network(read(example.question), [read_passage(number) for number in chosen], tokenized)
        answers = [
            flag
            for number, each in zip(chosen, tokenized, strict=True)
            for flag in example.labels.get(number, [False] * len(each.units))
        ]
        logits = torch.cat([scores, torch.zeros(1)])
        right = torch.tensor([*answers, not any(answers)])
        return torch.logsumexp(logits, 0) - torch.logsumexp(logits[right], 0), bool(right[logits.argmax()])

    return score


class _Steps:
    """Steps of the optimizer, with the gradients of all workers and a rate that warms up and falls as a cosine."""

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, total: int, rate: float, workers: int
    ) -> None:
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer, self._total, self._rate, self._workers = optimizer, total, rate, workers
        self.done = 0

    def take(self) -> None:
        """Take a step with the gradients that have gathered."""
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if self._workers > 1:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self._workers
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * self.done / max(1, self._total)))
        share = min(1.0, (self.done + 1) / _WARM_UP_STEPS) * (_MIN_RATE_SHARE + (1 - _MIN_RATE_SHARE) * cosine)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * share
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.done += 1


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_cache_option(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the weights, written as they get better"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights to go on from; default: the encoder's own"
    )
    parser.add_argument("--steps", type=int, default=1280, help="steps of the optimizer, each of 16 questions")
    parser.add_argument("--passages", type=int, default=5, help="passages that a question is read beside")
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="multiply what is frozen in bfloat16: faster with AVX512-BF16, ten times slower without",
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
