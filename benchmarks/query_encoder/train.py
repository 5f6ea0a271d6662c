"""Train how multilingual-e5-small embeds questions, on the questions for training of `benchmarks/real_documents`.

    python -m benchmarks.query_encoder.train --out indexer/encoders/multilingual_e5/query_tuning.safetensors

Passages keep the vectors that the encoder's authors gave them, so no archive is indexed anew. The loss is that of
choosing, among all passages of all documents for training and "none", one that answers. For a part of the questions
their package's documents are left out, and "none" is right: similarities of different questions become comparable,
which a cut needs. Documents of the bed's two halves are not used.

The questions about one in twelve documents are kept apart, as the answer reader's training does: every 60 steps they
are searched for, and the weights are written where the loss is the least so far.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.answer_reader.examples import Example, TrainingSet
from benchmarks.answer_reader.train import prepare_training_set, split_examples
from benchmarks.query_encoder.network import QueryEncoder
from benchmarks.real_documents.bed import TRAINING_DATA, Document, load_documents
from benchmarks.real_documents.check_data import name_text
from benchmarks.real_documents.fetch import add_cache_option
from indexer.encoders.multilingual_e5.parts import find_weights, open_parts

_RANK = 16
"""Chosen: 1.3 million trained numbers, 2.6 MB; questions for training are thousands, not millions."""
_QUESTIONS_PER_STEP = 64
"""Chosen: questions are short, and all passages are compared anyway: the more, the steadier the steps."""
_TEMPERATURE = 0.02
"""Chosen: twice that of the encoder's own training (arXiv 2402.05672), since its similarities lie close together."""
_WARM_UP_STEPS = 30
"""Chosen: an eighth of the steps."""
_MIN_RATE_SHARE = 0.05
"""Chosen: the last steps still move, a little."""
_STEPS_BETWEEN_VALIDATIONS = 60
"""Chosen: validation takes ten seconds, these steps more than a minute."""
_VALIDATED = 512
"""Chosen: questions that are searched for in validation; shares move by .02 by chance."""
_PLACES = (1, 5, 16)
"""Chosen: what is shown first, what is looked at, and what is read for an answer."""
_KEPT_SHARE = 0.55
"""Chosen: of .4, .55 and .7 the best for the work half, by a prototype outside of the product (decision 0124)."""
_CUT_QUANTILE = 0.95
"""Chosen: for so many of the questions without their document nothing is above the cut that validation tells of."""
_LEFT_OUT = -1e4
"""Form: logit of a passage that is not there."""
_WITHOUT_SHARE = 0.3
"""Chosen: questions whose document is left out: enough to learn what nothing answers, most still learn what does."""


def main() -> int:
    """Run the command line."""
    args = _parse_arguments()
    torch.manual_seed(0)
    data = prepare_training_set(args.cache.expanduser())
    frozen_type = torch.bfloat16 if args.bfloat16 else torch.float32
    train(QueryEncoder(open_parts(find_weights()), _RANK, frozen_type), data, args)
    return 0


def train(network: QueryEncoder, data: TrainingSet, args: argparse.Namespace) -> None:
    """Take the steps; print progress, and write the weights that are best in validation."""
    task = _Task(network, data)
    training, validation = (
        [example for example in part if example.positives] for part in split_examples(data.examples, _VALIDATED)
    )
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, args.rate, weight_decay=0.01)
    started_at, least, losses, chance = time.monotonic(), math.inf, list[float](), random.Random(0)
    for done, batch in zip(range(1, args.steps + 1), _draw(training, chance), strict=False):
        loss = task.lose(batch, [chance.random() < _WITHOUT_SHARE for _ in batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * _share_rate(done, args.steps)
        optimizer.step()
        losses.append(float(loss.detach()))
        if done % _STEPS_BETWEEN_VALIDATIONS == 0 or done == args.steps:
            mean = float(np.mean(losses[-_STEPS_BETWEEN_VALIDATIONS:]))
            print(f"{done} of {args.steps} steps, loss {mean:.3f}, {time.monotonic() - started_at:.0f} s", flush=True)
            loss_now, text = task.validate(validation)
            print(f"validation: loss {loss_now:.3f}, {text}", flush=True)
            if loss_now < least:
                network.save(args.out, _KEPT_SHARE)
            least = min(least, loss_now)


class _Task:
    """What is learnt: to choose, among all passages and "none", one that answers."""

    def __init__(self, network: QueryEncoder, data: TrainingSet) -> None:
        self._network, self._vectors = network, torch.from_numpy(data.vectors)
        documents = {document.id: document for document in load_documents(data=TRAINING_DATA)}
        self._documents = np.array(data.documents)
        self._kin = np.array([_name_kin(documents.get(id_), id_) for id_ in data.documents])
        self._texts = np.array([_name_text(documents.get(id_), id_) for id_ in data.documents])
        self._names = {id_: (_name_kin(each, id_), _name_text(each, id_)) for id_, each in documents.items()}

    def lose(self, examples: Sequence[Example], without: Sequence[bool]) -> Tensor:
        """Return the mean loss of examples, of some of them without their package's documents."""
        rows = self._compare(examples) / _TEMPERATURE
        cut = self._network.cut[None] / _TEMPERATURE
        losses = []
        for row, example, is_without in zip(rows, examples, without, strict=True):
            if is_without:
                logits = torch.cat([row.masked_fill(self._kin_of(example), _LEFT_OUT), cut])
                losses.append(torch.logsumexp(logits, 0) - cut[0])
            else:
                others = [number for number in example.labels if number not in example.positives]
                chosen = row.index_fill(0, torch.tensor(others, dtype=torch.int64), _LEFT_OUT)
                chosen = chosen.masked_fill(self._translations_of(example), _LEFT_OUT)
                losses.append(torch.logsumexp(torch.cat([chosen, cut]), 0) - torch.logsumexp(row[example.positives], 0))
        return torch.stack(losses).mean()

    def validate(self, examples: Sequence[Example]) -> tuple[float, str]:
        """Return the mean loss, with and without the documents, and tell how often what is right is found."""
        losses, ranks, right, rest = list[float](), list[int](), list[float](), list[float]()
        with torch.no_grad():
            for first in range(0, len(examples), _QUESTIONS_PER_STEP):
                batch = examples[first : first + _QUESTIONS_PER_STEP]
                for is_without, share in ((False, 1 - _WITHOUT_SHARE), (True, _WITHOUT_SHARE)):
                    losses.append(share * len(batch) * float(self.lose(batch, [is_without] * len(batch))))
                for row, example in zip(self._compare(batch), batch, strict=True):
                    right.append(float(row[list(example.labels)].max()))
                    ranks.append(int((row.masked_fill(self._translations_of(example), _LEFT_OUT) > right[-1]).sum()))
                    rest.append(float(row.masked_fill(self._kin_of(example), _LEFT_OUT).max()))
        places = ", ".join(f"{np.mean([rank < place for rank in ranks]):.3f} in {place}" for place in _PLACES)
        above = np.mean(np.array(right) > np.quantile(rest, _CUT_QUANTILE))
        return sum(losses) / len(examples), f"right passage {places}, {above:.3f} above the cut"

    def _compare(self, examples: Sequence[Example]) -> Tensor:
        questions: Tensor = self._network([example.question for example in examples])
        return questions @ self._vectors.T

    def _kin_of(self, example: Example) -> Tensor:
        """Return which passages are of the example's document or of others of its package, `[passages]`."""
        kin, _ = self._names.get(example.document, (example.document, ""))
        return torch.from_numpy(self._kin == kin)

    def _translations_of(self, example: Example) -> Tensor:
        """Return which passages are of a translation of the example's document, `[passages]`; they may answer too."""
        _, text = self._names.get(example.document, ("", example.document))
        return torch.from_numpy((self._texts == text) & (self._documents != example.document))


def _name_kin(document: Document | None, id_: str) -> str:
    """Return what a document and others of its package, in any language, have in common; a sheet has no kin."""
    return "-".join(name_text(document)[0]) if document is not None and document.package else id_


def _name_text(document: Document | None, id_: str) -> str:
    """Return what a document and its translations have in common."""
    return str(name_text(document)) if document is not None and document.package else id_


def _draw(examples: Sequence[Example], chance: random.Random) -> Iterator[list[Example]]:
    """Yield examples for one step after another, all of them before any comes again."""
    order = list[int]()
    while True:
        if len(order) < _QUESTIONS_PER_STEP:
            order = list(range(len(examples)))
            chance.shuffle(order)
        yield [examples[order.pop()] for _ in range(min(_QUESTIONS_PER_STEP, len(examples)))]


def _share_rate(done: int, steps: int) -> float:
    """Return the share of the highest rate: it warms up, then falls as a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * done / steps))
    return min(1.0, done / _WARM_UP_STEPS) * (_MIN_RATE_SHARE + (1 - _MIN_RATE_SHARE) * cosine)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_cache_option(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the weights, written as they get better"
    )
    parser.add_argument("--steps", type=int, default=240, help="steps of the optimizer, each of 64 questions")
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="multiply what is frozen in bfloat16: faster with AVX512-BF16, ten times slower without",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
