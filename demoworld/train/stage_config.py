"""Configuration of the language model's training stages, in the order in which they run.

A stage is named by its place in the order and its objective. Seeds do not follow that order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """Data, length and learning rate of one training stage.

    A context has up to `max_moments` moments and `max_slots` memory slots, with questions and lookups behind it.
    `initial_context_share` is the share of both with which a stage begins; `no_slots_share` is the share of steps
    without slots. `adds_layers` inserts layers before training. `verification_share` is the share of rows with
    sentences to verify; of the others, `search_share` have search results and `sequence_share` consecutive pictures as
    context.
    """

    name: str
    seed: int
    steps: int
    max_moments: int
    max_slots: int
    questions_per_context: int = 6
    lookups_per_context: int = 4
    tokens_per_step: int = 5120
    video_count: int = 30
    photo_count: int = 2000
    initial_context_share: float = 0.2
    no_slots_share: float = 0.0
    adds_layers: bool = False
    verification_share: float = 0.25
    search_share: float = 0.0
    sequence_share: float = 0.0
    peak_learning_rate: float = 3e-3


RECOGNITION = StageConfig(
    name="04-recognition",
    seed=11,
    steps=450,
    max_moments=1,
    max_slots=0,
    lookups_per_context=2,
    tokens_per_step=4096,
    photo_count=4000,
)
"""Name what one moment or photo shows."""

EVIDENCE_LOOKUP = StageConfig(
    name="05-evidence-lookup",
    seed=12,
    steps=1450,
    max_moments=14,
    max_slots=8,
    video_count=40,
    photo_count=3000,
)
"""Find what is asked for among many moments and memory slots."""

ID_TIME_BINDING = StageConfig(
    name="06-id-time-binding", seed=14, steps=900, max_moments=12, max_slots=8, adds_layers=True
)
"""Bind an item's id and time to its visual tokens, in two inserted layers."""

ID_TIME_READOUT = StageConfig(name="07-id-time-readout", seed=15, steps=600, max_moments=12, max_slots=8)
"""Read id and time off the word that names the item."""

CITATIONS = StageConfig(
    name="08-citations",
    seed=16,
    steps=500,
    max_moments=12,
    max_slots=8,
    questions_per_context=4,
    lookups_per_context=8,
    initial_context_share=0.5,
)
"""Answer with the id and the time of what was found."""

LONG_MEMORY = StageConfig(
    name="09-long-memory",
    seed=13,
    steps=1000,
    max_moments=24,
    max_slots=64,
    questions_per_context=8,
    lookups_per_context=8,
    video_count=40,
    initial_context_share=0.3,
)
"""Answer with the memory of hours in the prompt."""

CONTENT_BINDING = StageConfig(
    name="10-content-binding",
    seed=17,
    steps=900,
    max_moments=16,
    max_slots=12,
    questions_per_context=12,
    video_count=40,
    initial_context_share=0.1,
)
"""Bind place and counts of things to an item's visual tokens."""

CONTENT_ANSWERS = StageConfig(
    name="11-content-answers",
    seed=19,
    steps=950,
    max_moments=10,
    max_slots=6,
    questions_per_context=16,
    lookups_per_context=2,
    video_count=40,
    initial_context_share=0.3,
)
"""Answer with place and counts of things."""

SHORT_CONTEXT = StageConfig(
    name="12-short-context",
    seed=18,
    steps=750,
    max_moments=8,
    max_slots=84,
    questions_per_context=16,
    lookups_per_context=2,
    initial_context_share=1.0,
    no_slots_share=0.8,
)
"""Answer from few moments, as questions about one thing get them."""

VERIFICATION = StageConfig(
    name="13-verification",
    seed=20,
    steps=850,
    max_moments=6,
    max_slots=12,
    questions_per_context=14,
    lookups_per_context=1,
    video_count=40,
    initial_context_share=1.0,
    no_slots_share=0.7,
    verification_share=0.45,
    search_share=0.7,
)
"""Verify sentences against pictures; list search results."""

COUNTING_AND_ORDER = StageConfig(
    name="14-counting-and-order",
    seed=21,
    steps=320,
    max_moments=9,
    max_slots=12,
    questions_per_context=14,
    lookups_per_context=1,
    video_count=40,
    initial_context_share=1.0,
    no_slots_share=0.7,
    verification_share=0.35,
    search_share=0.35,
    sequence_share=0.45,
    peak_learning_rate=2e-3,
)
"""Count things, and answer what follows on what."""

LANGUAGE_STAGES = {
    stage.name: stage
    for stage in (
        RECOGNITION,
        EVIDENCE_LOOKUP,
        ID_TIME_BINDING,
        ID_TIME_READOUT,
        CITATIONS,
        LONG_MEMORY,
        CONTENT_BINDING,
        CONTENT_ANSWERS,
        SHORT_CONTEXT,
        VERIFICATION,
        COUNTING_AND_ORDER,
    )
}
