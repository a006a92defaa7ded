"""How wrong the network was: five parts of about one size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.train.layout import JOINTS, OFFSET_SCALE, OFFSETS, PERSON, SIDES

# Quality focal loss, Li et al. 2020: how much less an answer that is nearly right counts.
_FOCUS = 2.0
# Cells around a joint that its peak's middle is taken of, and what keeps a mass above nothing.
_AROUND, _FLOOR = 3, 1e-6


def loss(
    outputs: tuple[Tensor, Tensor], wanted: dict[str, Tensor]
) -> tuple[Tensor, dict[str, float]]:
    """How wrong the outputs are.

    Args:
        outputs: grid and maps of the network.
        wanted: the fields of `Targets`, batched.

    Returns:
        The loss and its parts.
    """
    grid, maps = outputs
    learns = wanted["learns"]
    persons = wanted["person"].ge(0.999).sum().clamp(min=1)
    mass = learns.sum().clamp(min=1)
    parts = {
        "person": _focal(grid[:, PERSON], wanted["person"], wanted["person_weight"]) / persons,
        "box": (_box_loss(grid[:, SIDES], wanted["box"]) * learns).sum() / mass,
        # In body heights; 40 makes an error of a torso's fifth (0.06) about as bad as a bad box.
        "joints": 40.0
        * OFFSET_SCALE
        * (
            functional.smooth_l1_loss(
                grid[:, OFFSETS], wanted["offsets"], reduction="none", beta=0.05
            )
            * wanted["offset_weight"]
            * learns
        ).sum()
        / mass
        / (2 * JOINTS),
        "maps": 0.5 * _focal(maps, wanted["maps"], wanted["map_weight"]) / persons / 4,
        "places": _place_loss(maps, wanted["places"]),
    }
    total = torch.stack(list(parts.values())).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _focal(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Quality focal loss, summed."""
    error = (target - logits.sigmoid()).abs()
    cross = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (error**_FOCUS * cross * weight).sum()


def _place_loss(maps: Tensor, places: Tensor) -> Tensor:
    """How far, in cells, the middle of each peak is from its joint.

    The middle is what decoding takes: of the squared heights around the peak (integral regression,
    Sun et al. 2018, kept to a window).
    """
    pictures, rows = places[..., 3].nonzero(as_tuple=True)
    joints, x, y, weight = places[pictures, rows].unbind(dim=1)
    steps = torch.arange(-_AROUND, _AROUND + 1, device=maps.device)
    lines = y.long()[:, None, None] + steps[:, None]
    columns = x.long()[:, None, None] + steps
    height, width = maps.shape[2:]
    inside = (lines >= 0) & (lines < height) & (columns >= 0) & (columns < width)
    logits = maps[
        pictures[:, None, None],
        joints.long()[:, None, None],
        lines.clamp(0, height - 1),
        columns.clamp(0, width - 1),
    ]
    heights = (logits.sigmoid() ** 2 + _FLOOR) * inside
    mass = heights.sum(dim=(1, 2))
    found_x = (heights * (columns + 0.5)).sum(dim=(1, 2)) / mass
    found_y = (heights * (lines + 0.5)).sum(dim=(1, 2)) / mass
    off = functional.smooth_l1_loss(found_x, x, reduction="none", beta=0.5)
    off = off + functional.smooth_l1_loss(found_y, y, reduction="none", beta=0.5)
    return (off * weight).sum() / weight.sum().clamp(min=1)


def _box_loss(sides: Tensor, target: Tensor) -> Tensor:
    """1 - IoU of boxes around the same point (Yu et al. 2016, UnitBox), and a pull where none."""
    positive = sides.clamp(min=0.01)
    left = torch.minimum(positive, target)
    inner = (left[:, 0] + left[:, 2]) * (left[:, 1] + left[:, 3])
    area = (positive[:, 0] + positive[:, 2]) * (positive[:, 1] + positive[:, 3])
    truth = (target[:, 0] + target[:, 2]) * (target[:, 1] + target[:, 3])
    iou = inner / (area + truth - inner).clamp(min=0.01)
    scale = (target[:, 1] + target[:, 3]).clamp(min=1)
    pull = (sides - target).abs().sum(dim=1) / scale
    return (1 - iou + 0.5 * pull)[:, None]
