"""The close-up's network: which hands in a square around somebody are past a shelf's plane.

Depthwise separable convolutions (Howard et al. 2017), for it runs once for each person near a
shelf: down to a sixteenth for how the body stands, up again to a quarter for where the hand is
(feature pyramid, Lin et al. 2017). Beside the map that is asked for it learns where any hand is and
how far past the plane: what helps to see the one helps to see the other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_agent.closeup import PLANES

# Channels at a half, a quarter, an eighth and a sixteenth of the input.
_WIDTHS = (16, 32, 64, 112)
# Prior of a hand in a cell (Lin et al. 2017, focal loss).
_PRIOR_LOGIT = -3.0
# Weight of the whole square's word beside the cell's, in the map that ships.
_WHOLE = 0.25


class Separable(nn.Module):
    """Depthwise convolution, pointwise convolution, a shortcut where shapes allow."""

    def __init__(self, before: int, after: int, stride: int = 1, size: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            before, before, size, stride, size // 2, groups=before, bias=False
        )
        self.norm = nn.BatchNorm2d(before)
        self.pointwise = nn.Conv2d(before, after, 1, bias=False)
        self.norm_after = nn.BatchNorm2d(after)
        self.shortcut = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] to [N, after, H / stride, W / stride]."""
        made = functional.relu(self.norm_after(self.pointwise(self.norm(self.depthwise(x)))))
        return x + made if self.shortcut else made


class CloseupNetwork(nn.Module):
    """Takes float32 [N, 6, 96, 96], -1..1.

    Returns logits and numbers: maps [N, 3, 24, 24] (a hand past the plane, any hand, how deep) and
    [N] (any hand past the plane in the whole square).
    """

    def __init__(self) -> None:
        super().__init__()
        two, four, eight, sixteen = _WIDTHS
        self.at2 = nn.Sequential(
            nn.Conv2d(PLANES, two, 3, 2, 1, bias=False),
            nn.BatchNorm2d(two),
            nn.ReLU(),
            Separable(two, two),
        )
        self.at4 = _stage(two, four, 3, 3)
        self.at8 = _stage(four, eight, 4, 3)
        self.at16 = _stage(eight, sixteen, 4, 5)
        self.from16 = nn.Conv2d(sixteen, eight, 1)
        self.joined8 = Separable(eight, eight)
        self.from8 = nn.Conv2d(eight, four, 1)
        self.joined4 = nn.Sequential(Separable(four, four), Separable(four, four))
        self.maps = nn.Conv2d(four, 3, 1)
        self.whole = nn.Sequential(
            nn.Linear(2 * sixteen + 3, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)
        )
        assert self.maps.bias is not None
        nn.init.constant_(self.maps.bias, _PRIOR_LOGIT)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        at4 = self.at4(self.at2(x))
        at8 = self.at8(at4)
        at16 = self.at16(at8)
        up8 = self.joined8(at8 + functional.interpolate(self.from16(at16), scale_factor=2.0))
        up4 = self.joined4(at4 + functional.interpolate(self.from8(up8), scale_factor=2.0))
        maps = self.maps(up4)
        seen = [at16.mean((2, 3)), at16.amax((2, 3)), maps.amax((2, 3))]
        return maps, self.whole(torch.cat(seen, 1))[:, 0]


class Shipped(nn.Module):
    """The network as a unit runs it: uint8 [1, 6, 96, 96] to logits, float32 [1, 24, 24]."""

    def __init__(self, network: CloseupNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, planes: Tensor) -> Tensor:
        """See the class."""
        maps, whole = self.network(planes.to(torch.float32) / 127.5 - 1)
        shipped: Tensor = (1 - _WHOLE) * maps[:, 0] + _WHOLE * whole[:, None, None]
        return shipped


def _stage(before: int, after: int, blocks: int, size: int) -> nn.Sequential:
    rest = (Separable(after, after, 1, size) for _ in range(blocks - 1))
    return nn.Sequential(Separable(before, after, 2, size), *rest)
