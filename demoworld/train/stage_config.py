"""Configuration of the language model's training stages, in the order in which they run.

A stage is named by its place in the order and its objective. Seeds do not follow that order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
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
    questions_per_context: int
    lookups_per_context: int
    video_count: int
    initial_context_share: float
    tokens_per_step: int = 5120
    photo_count: int = 2000
    no_slots_share: float = 0.0
    adds_layers: bool = False
    verification_share: float = 0.25
    search_share: float = 0.0
    sequence_share: float = 0.0
    peak_learning_rate: float = 3e-3


_STAGES = (
    #            name                    seed  steps  moments  slots  questions  lookups  videos  share
    # Name what one moment or photo shows.
    StageConfig("04-recognition",         11,   450,       1,     0,         6,       2,     30,   0.2,
                tokens_per_step=4096, photo_count=4000),
    # Find what is asked for among many moments and memory slots.
    StageConfig("05-evidence-lookup",     12,  1450,      14,     8,         6,       4,     40,   0.2,
                photo_count=3000),
    # Bind an item's id and time to its visual tokens, in two inserted layers.
    StageConfig("06-id-time-binding",     14,   900,      12,     8,         6,       4,     30,   0.2,
                adds_layers=True),
    # Read id and time off the word that names the item.
    StageConfig("07-id-time-readout",     15,   600,      12,     8,         6,       4,     30,   0.2),
    # Answer with the id and the time of what was found.
    StageConfig("08-citations",           16,   500,      12,     8,         4,       8,     30,   0.5),
    # Answer with the memory of hours in the prompt.
    StageConfig("09-long-memory",         13,  1000,      24,    64,         8,       8,     40,   0.3),
    # Bind place and counts of things to an item's visual tokens.
    StageConfig("10-content-binding",     17,   900,      16,    12,        12,       4,     40,   0.1),
    # Answer with place and counts of things.
    StageConfig("11-content-answers",     19,   950,      10,     6,        16,       2,     40,   0.3),
    # Answer from few moments, as questions about one thing get them.
    StageConfig("12-short-context",       18,   750,       8,    84,        16,       2,     30,   1.0,
                no_slots_share=0.8),
    # Verify sentences against pictures; list search results.
    StageConfig("13-verification",        20,   850,       6,    12,        14,       1,     40,   1.0,
                no_slots_share=0.7, verification_share=0.45, search_share=0.7),
    # Count things, and answer what follows on what.
    StageConfig("14-counting-and-order",  21,   320,       9,    12,        14,       1,     40,   1.0,
                no_slots_share=0.7, verification_share=0.35, search_share=0.35,
                sequence_share=0.45, peak_learning_rate=2e-3),
)  # fmt: skip
LANGUAGE_STAGES = {stage.name: stage for stage in _STAGES}
RECOGNITION = LANGUAGE_STAGES["04-recognition"]
