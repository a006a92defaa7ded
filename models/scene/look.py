"""What a person looks like, drawn at random: skin, hair, clothes, what they carry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypedDict

import numpy as np

from models.scene.stance import Build

Colour = tuple[int, int, int]  # BGR, 0..255

# From pale to dark: rows of the Monk Skin Tone scale (skintone.google, 2022), as a camera indoors
# sees them.
_SKINS: tuple[Colour, ...] = (
    (190, 208, 236),
    (172, 196, 230),
    (158, 190, 226),
    (132, 168, 212),
    (112, 148, 196),
    (88, 124, 172),
    (66, 98, 142),
    (48, 72, 108),
    (38, 54, 80),
    (32, 42, 60),
)
_HAIRS: tuple[tuple[Colour, float], ...] = (
    ((24, 22, 24), 0.34),
    ((32, 40, 56), 0.24),
    ((44, 66, 98), 0.14),
    ((84, 132, 172), 0.10),
    ((110, 168, 204), 0.05),
    ((36, 60, 122), 0.04),
    ((150, 152, 154), 0.06),
    ((214, 216, 218), 0.03),
)
# Neutral cloth is what most people wear; the rest is any hue.
_NEUTRALS: tuple[Colour, ...] = (
    (30, 28, 28),
    (48, 46, 46),
    (90, 88, 86),
    (150, 148, 146),
    (232, 232, 230),
    (204, 214, 222),
    (84, 56, 38),
    (60, 42, 30),
    (120, 90, 66),
    (70, 92, 110),
    (122, 152, 176),
    (60, 72, 58),
)
_DENIMS: tuple[Colour, ...] = ((112, 84, 60), (84, 60, 42), (60, 46, 36), (150, 124, 98))


class Hair(Enum):
    """How hair is worn."""

    BALD = auto()
    CROPPED = auto()
    SHORT = auto()
    BOB = auto()
    LONG = auto()
    BUN = auto()
    TAIL = auto()


class Hat(Enum):
    """What is worn on the head."""

    NONE = auto()
    CAP = auto()
    BEANIE = auto()
    BRIM = auto()


class Pattern(Enum):
    """What is on cloth."""

    PLAIN = auto()
    HOOPS = auto()  # stripes around
    PINSTRIPES = auto()  # stripes along
    CHECKS = auto()
    LOGO = auto()
    DOTS = auto()


class Bag(Enum):
    """What is worn on the body."""

    NONE = auto()
    BACKPACK = auto()
    SHOULDER = auto()


@dataclass(frozen=True, slots=True)
class Cloth:
    """What a garment is made of."""

    colour: Colour
    pattern: Pattern = Pattern.PLAIN
    second: Colour = (200, 200, 200)


class _Outfit(TypedDict):
    """The fields of `Look` that are drawn together, for they go together."""

    top: Cloth
    sleeve: float
    hem: float
    flare: float
    ease: float
    open_front: bool
    hood: bool
    bottom: Cloth
    cover: float
    wide: float
    skirt: bool


@dataclass(frozen=True, slots=True)
class Look:
    """A person's looks; the same look always draws the same person.

    Args:
        skin: colour.
        hair: how it is worn.
        hair_colour: colour.
        hat: on the head.
        hat_colour: colour.
        top: cloth of shirt, coat or dress.
        sleeve: share of the arm that it covers, 0..1.
        hem: how far it reaches below the hips, as a share of the leg; < 0 = tucked in.
        flare: how wide a skirt's or coat's hem is against the hips, >= 1.
        ease: how loose the top is, 0 (tight) .. 1 (coat).
        open_front: buttons or a zip down the front.
        hood: a hood lies on the shoulders.
        bottom: cloth of trousers, skirt or tights.
        cover: share of the leg under the trousers, 0 (bare) .. 1.
        wide: how loose the trousers are, 0..1.
        skirt: the hem's part below the hips is a skirt of the bottom's cloth, not the top's.
        shoe: colour.
        sole: colour.
        bag: worn.
        bag_colour: colour.
        glasses: worn.
        mask: colour of a face mask, if worn.
        beard: 0 (none) .. 1.
        grain: seed of folds and strands.
    """

    skin: Colour
    hair: Hair
    hair_colour: Colour
    hat: Hat
    hat_colour: Colour
    top: Cloth
    sleeve: float
    hem: float
    flare: float
    ease: float
    open_front: bool
    hood: bool
    bottom: Cloth
    cover: float
    wide: float
    skirt: bool
    shoe: Colour
    sole: Colour
    bag: Bag
    bag_colour: Colour
    glasses: bool
    mask: Colour | None
    beard: float
    grain: int

    @classmethod
    def random(cls, rng: np.random.Generator, build: Build) -> Look:
        """Someone of this build, dressed for a shop in any season."""
        outfit = _outfit(rng, build)
        hair = _hair(rng, build)
        return cls(
            skin=_near(rng, _SKINS[rng.choice(10, p=_SKIN_SHARES)], 8),
            hair=hair,
            hair_colour=_hair_colour(rng, build),
            hat=Hat(rng.choice([1, 2, 3, 4], p=[0.82, 0.09, 0.06, 0.03])),
            hat_colour=_cloth_colour(rng),
            shoe=_near(rng, _NEUTRALS[rng.integers(len(_NEUTRALS))], 12),
            sole=_near(rng, (225, 225, 225) if rng.random() < 0.5 else (50, 48, 46), 10),
            bag=Bag(rng.choice([1, 2, 3], p=[0.74, 0.12, 0.14])),
            bag_colour=_cloth_colour(rng),
            glasses=bool(rng.random() < (0.05 if build.child else 0.25)),
            mask=_mask(rng),
            beard=0.0 if build.female or build.child else float(max(0, rng.uniform(-1.5, 1))),
            grain=int(rng.integers(1 << 31)),
            **outfit,
        )


# The middle of the scale is the most common.
_SKIN_SHARES = np.array([0.08, 0.14, 0.16, 0.14, 0.12, 0.10, 0.09, 0.07, 0.06, 0.04])


def _near(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    shift = rng.normal(0, spread) + rng.normal(0, spread / 2, 3)
    blue, green, red = np.clip(np.add(colour, shift), 8, 248)
    return int(blue), int(green), int(red)


def _cloth_colour(rng: np.random.Generator) -> Colour:
    if rng.random() < 0.6:
        return _near(rng, _NEUTRALS[rng.integers(len(_NEUTRALS))], 10)
    hue = rng.uniform(0, 2 * np.pi) + np.array([0.0, 2.1, 4.2])
    value = rng.uniform(50, 190)
    blue, green, red = np.clip(value * (1 + rng.uniform(0.2, 0.65) * np.cos(hue)), 12, 245)
    return int(blue), int(green), int(red)


def _cloth(rng: np.random.Generator, printed: float) -> Cloth:
    pattern = Pattern.PLAIN
    if rng.random() < printed:
        pattern = Pattern(int(rng.integers(2, 7)))
    return Cloth(_cloth_colour(rng), pattern, _cloth_colour(rng))


def _hair(rng: np.random.Generator, build: Build) -> Hair:
    if build.female:
        shares = [0.0, 0.02, 0.13, 0.25, 0.33, 0.12, 0.15]
    else:
        shares = [0.02 if build.child else 0.12, 0.35, 0.43, 0.05, 0.02, 0.02, 0.01]
    return Hair(int(rng.choice(7, p=np.array(shares) / sum(shares))) + 1)


def _hair_colour(rng: np.random.Generator, build: Build) -> Colour:
    shares = np.array([share for _, share in _HAIRS])
    if build.child:
        shares[-2:] = 0
    return _near(rng, _HAIRS[rng.choice(len(_HAIRS), p=shares / shares.sum())][0], 6)


def _mask(rng: np.random.Generator) -> Colour | None:
    if rng.random() > 0.07:
        return None
    return ((228, 222, 205), (235, 235, 235), (35, 35, 35))[int(rng.integers(3))]


# What is worn above: how often, and whether it is a pattern, by share.
_KINDS = {
    "tee": (0.24, 0.5),
    "shirt": (0.17, 0.5),
    "sweater": (0.17, 0.35),
    "hoodie": (0.12, 0.3),
    "jacket": (0.13, 0.1),
    "coat": (0.07, 0.12),
    "dress": (0.05, 0.5),
    "skirt": (0.05, 0.4),
}


def _cut(rng: np.random.Generator, kind: str) -> tuple[float, float, float, bool]:
    """Sleeve, ease, hem and open front of a kind of top."""
    either = bool(rng.random() < 0.5)
    a, b = (float(share) for share in rng.random(2))
    return {
        "tee": (0.26 + 0.18 * a, 0.1 + 0.3 * b, 0.08, False),
        "shirt": (0.98 if either else 0.42, 0.1 + 0.3 * b, 0.06, True),
        "sweater": (0.98, 0.2 + 0.4 * b, 0.07, False),
        "hoodie": (0.99, 0.5 + 0.3 * b, 0.08, either),
        "jacket": (0.99, 0.5 + 0.4 * b, 0.05 + 0.11 * a, True),
        "coat": (0.99, 0.6 + 0.4 * b, 0.3 + 0.32 * a, True),
        "dress": (0.97 if either else 0.1 + 0.25 * b, 0.15, 0.35 + 0.5 * a, False),
        "skirt": (0.97 if either else 0.3, 0.2, 0.3 + 0.55 * a, False),
    }[kind]


def _outfit(rng: np.random.Generator, build: Build) -> _Outfit:
    kinds = list(_KINDS)
    shares = np.array([share for share, _ in _KINDS.values()])
    if not build.female:
        shares[6:] = 0
    kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    sleeve, ease, hem, open_front = _cut(rng, kind)
    printed = _KINDS[kind][1]
    if kind in ("tee", "shirt", "sweater") and rng.random() < 0.25:
        hem = -0.05
    bare = kind in ("dress", "skirt")
    shorts = not bare and bool(rng.random() < (0.4 if kind == "tee" else 0.05))
    cover = 0.0 if bare and rng.random() < 0.5 else 1.0
    denim = _DENIMS[int(rng.integers(len(_DENIMS)))]
    plain = _NEUTRALS[int(rng.choice(len(_NEUTRALS)))]
    bottom = Cloth(_near(rng, denim if rng.random() < 0.5 else plain, 8))
    return {
        "top": _cloth(rng, printed),
        "sleeve": sleeve,
        "hem": hem,
        "flare": float(rng.uniform(1.05, 1.6) if bare else rng.uniform(1.0, 1.2)),
        "ease": ease,
        "open_front": open_front,
        "hood": kind == "hoodie",
        "bottom": _cloth(rng, 0.3) if kind == "skirt" else bottom,
        "cover": float(rng.uniform(0.32, 0.52)) if shorts else cover,
        "wide": 0.0 if bare else float(rng.uniform(0.1, 1.0)),
        "skirt": kind == "skirt",
    }
