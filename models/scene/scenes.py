"""Pictures out of scripted clips, without the clips: people who walk, push, reach and pick.

Every other camera hangs near and overhead, where hands are seen, the rest anyhow: a network must
know people wherever somebody put its unit up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.scene.camera import Floats
from models.scene.sample import Sample
from models.scene.shop import ANYHOW, OVERHEAD
from models.scene.shopper import HAND, TICK_S
from models.scene.stage import Painter, set_stage, tell
from models.scene.story import Story, Traffic
from models.scene.textures import Rng

# Clips that a user renders have seeds below; a network is never trained on the shop it is tried on.
FIRST_SEED = 1 << 31
_SECONDS = 90.0
_VISITS_EVERY_S = (3.0, 8.0)
# Share of the moments at which a hand is out, and how far out that is.
_REACHING, _OUT = 0.6, 0.3


def frames(seed: int, count: int, moments: int = 20) -> Iterator[Sample]:
    """Pictures at random moments of one clip after another.

    Args:
        seed: 0 .. 2^31 - 1; clip by clip, seeds count up from here.
        count: how many.
        moments: pictures of one clip before the next.
    """
    for number in range(-(-count // moments)):
        rng = np.random.default_rng([seed, number])
        stage = set_stage(FIRST_SEED + seed + number, hanging=(OVERHEAD, ANYHOW)[number % 2])
        story = tell(stage, Traffic(float(rng.uniform(*_VISITS_EVERY_S))), _SECONDS)
        painter = Painter(stage, story)
        times = _times(story, rng, min(moments, count - number * moments))
        for index, t in enumerate(times.tolist()):
            image, labels = painter.frame(index, t)
            yield Sample(image, labels.boxes, labels.visible, labels.keypoints)


def _times(story: Story, rng: Rng, count: int) -> Floats:
    """Moments in order: most of them while somebody's hand is out, which is seldom."""
    busy = [
        (track.start + int(row)) * TICK_S
        for track in story.tracks
        for row in (track.rows[:, [HAND + 3, HAND + 7]] > _OUT).any(axis=1).nonzero()[0]
    ]
    busy = [t for t in busy if 0 <= t < _SECONDS]
    times = rng.uniform(0, _SECONDS, count)
    if busy:
        chosen = rng.random(count) < _REACHING
        times[chosen] = rng.choice(busy, int(chosen.sum()))
    return np.sort(times)
