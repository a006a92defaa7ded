"""The built-in model's network: plain convolutions with ReLU, made to be quantized.

One shot, two outputs. On a grid of stride 8 each cell says whether a person is there, how far the
sides of the person's box are and, roughly, where each joint is (CenterNet, Zhou et al. 2019). On a
grid of stride 4 one map a joint says where such joints are, whosesoever; decoding snaps each rough
joint to the nearest peak (as MoveNet does). No depthwise convolution and no SiLU: the first loses
accuracy in eight bits per tensor, the second costs more than the convolution before it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.train.layout import JOINTS, OFFSETS, PERSON, SIDES

# Prior of a peak (Lin et al. 2017, focal loss): without it the first steps drown in empty cells.
_PRIOR_LOGIT = -4.6


class Convolution(nn.Sequential):
    """3x3 or 1x1 convolution, batch normalization, ReLU."""

    def __init__(self, before: int, after: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, changed a little."""
        return functional.relu(x + self.norm(self.second(self.first(x))))


class Stage(nn.Sequential):
    """Halve the picture, then some residual blocks."""

    def __init__(self, before: int, after: int, blocks: int) -> None:
        super().__init__(
            Convolution(before, after, stride=2), *(Residual(after) for _ in range(blocks))
        )


class Network(nn.Module):
    """The network.

    Takes float32 [N, 3, H, W], RGB, 0..1, H and W multiples of 32. Returns two tensors of logits
    and numbers in grid cells: grid [N, 39, H/8, W/8] and maps [N, 17, H/4, W/4].
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 16, stride=2)
        self.at4 = nn.Sequential(Convolution(16, 24, stride=2), Convolution(24, 24))
        self.at8 = Stage(24, 48, 1)
        self.at16 = Stage(48, 96, 2)
        self.at32 = Stage(96, 128, 2)
        self.from32 = Convolution(128, 96, size=1)
        self.merged16 = Convolution(96, 96)
        self.from16 = Convolution(96, 48, size=1)
        self.merged8 = Convolution(48, 48)
        self.from8 = Convolution(48, 40, size=1)
        self.from4 = Convolution(24, 40, size=1)
        self.merged4 = nn.Sequential(Convolution(40, 40), Convolution(40, 40))
        self.grid_neck = Convolution(48, 64)
        self.grid_head = nn.Conv2d(64, OFFSETS.stop, 1)
        self.map_head = nn.Conv2d(40, JOINTS, 1)
        for head in (self.grid_head, self.map_head):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        nn.init.constant_(self.grid_head.bias[PERSON], _PRIOR_LOGIT)
        nn.init.constant_(self.grid_head.bias[SIDES], 2.0)
        nn.init.constant_(self.map_head.bias, _PRIOR_LOGIT)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Grid and maps of some pictures."""
        quarter = self.at4(self.stem(x))
        eighth = self.at8(quarter)
        sixteenth = self.at16(eighth)
        deep = self.from32(self.at32(sixteenth))
        sixteenth = self.merged16(sixteenth + _double(deep))
        eighth = self.merged8(eighth + _double(self.from16(sixteenth)))
        quarter = self.merged4(self.from4(quarter) + _double(self.from8(eighth)))
        return self.grid_head(self.grid_neck(eighth)), self.map_head(quarter)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def fold(network: Network) -> Network:
    """A copy in evaluation mode with each batch normalization folded into its convolution."""
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, Convolution):
            convolution, norm = module[0], module[1]
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            module[0] = torch.nn.utils.fuse_conv_bn_eval(convolution, norm)
            module[1] = nn.Identity()
        elif isinstance(module, Residual):
            module.second = torch.nn.utils.fuse_conv_bn_eval(module.second, module.norm)
            module.norm = nn.Identity()
    return folded
