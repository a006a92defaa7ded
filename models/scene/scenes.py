"""Pictures out of scripted clips, without the clips: people who walk, push, reach and pick.

Their cameras hang anyhow: a network must know people wherever somebody put its unit up.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.scene.sample import Sample
from models.scene.shop import ANYHOW
from models.scene.stage import Painter, set_stage, tell
from models.scene.story import Traffic

# Clips that a user renders have seeds below; a network is never trained on the shop it is tried on.
FIRST_SEED = 1 << 31
_SECONDS = 90.0
_VISITS_EVERY_S = (3.0, 8.0)


def frames(seed: int, count: int, moments: int = 20) -> Iterator[Sample]:
    """Pictures at random moments of one clip after another.

    Args:
        seed: 0 .. 2^31 - 1; clip by clip, seeds count up from here.
        count: how many.
        moments: pictures of one clip before the next.
    """
    for number in range(-(-count // moments)):
        rng = np.random.default_rng([seed, number])
        stage = set_stage(FIRST_SEED + seed + number, hanging=ANYHOW)
        story = tell(stage, Traffic(float(rng.uniform(*_VISITS_EVERY_S))), _SECONDS)
        painter = Painter(stage, story)
        times = np.sort(rng.uniform(0, _SECONDS, min(moments, count - number * moments)))
        for index, t in enumerate(times.tolist()):
            image, labels = painter.frame(index, t)
            yield Sample(image, labels.boxes, labels.visible, labels.keypoints)
