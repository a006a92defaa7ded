"""A dressed body: the mesh and the atlas of one build and look, made once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.scene import atlas, head, limbs, tiles, torso
from models.scene.frames import Rings, frames, limb_path
from models.scene.look import Look
from models.scene.sheet import Mesh, Sheet, join, oriented
from models.scene.stance import Build, Joint, Stance

Floats = NDArray[np.float64]

# Height of the ankle over the sole as a share of the height (Drillis & Contini, 1966).
_ANKLE = 0.039
# As many people as a long scene may show; a body takes 2 MB.
_KEPT = 48


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One person, ready to be posed.

    Args:
        mesh: its surfaces.
        rings: where their frames lie.
        pictures: uint8, BGR: the atlas, then at half and at a quarter of its size.
        area: float64 [V], each vertex's share of the body's surface; 0 on what is worn.
    """

    mesh: Mesh
    rings: Rings
    pictures: list[NDArray[np.uint8]]
    area: Floats

    def pose(self, stance: Stance) -> tuple[Floats, Floats]:
        """Points and normals of every vertex, float64 [V, 3], in the shop."""
        return self.mesh.pose(frames(stance, self.rings))


def build_random(rng: np.random.Generator) -> Build:
    """A shopper's build: one in eight a child, heights as of ANSUR II and growth charts."""
    female = bool(rng.random() < 0.5)
    girth = float(np.clip(rng.normal(1.04, 0.14), 0.75, 1.5))
    if rng.random() < 0.125:
        return Build(float(rng.uniform(0.95, 1.45)), min(girth, 1.2), child=True, female=female)
    height = rng.normal(1.63, 0.065) if female else rng.normal(1.755, 0.07)
    return Build(float(np.clip(height, 1.45, 2.0)), girth, child=False, female=female)


@lru_cache(maxsize=_KEPT)
def body(build: Build, look: Look, shoulder: float) -> Body:
    """The body of a build and look.

    Args:
        build: proportions.
        look: clothes, skin, hair.
        shoulder: half the distance between the shoulder joints as a share of the height.
    """
    hem, arm, leg = torso.hem_rows(look), limbs.arm_rows(look), limbs.leg_rows(look)
    rings = Rings(
        trunk=torso.trunk_rows(look),
        arm=limb_path(arm, limbs.ARM_BENDS),
        leg=limb_path(leg, limbs.LEG_BENDS),
        hem=hem,
        neck=torso.NECK_ROWS,
        hip_reach=torso.hem_reach(build, look, hem),
        leg_room=limbs.leg_room(build, look, hem),
        ankle_m=_ANKLE * build.height,
        head_m=head.head_height(build),
        height=build.height,
    )
    sheets = _sheets(build, look, rings, (arm, leg), shoulder)
    mesh = join(sheets, tiles.TILES)
    upright = frames(_upright(build, shoulder), rings)
    mesh = oriented(mesh, sheets, upright)
    return Body(mesh, rings, atlas.levels(atlas.paint(look)), _areas(mesh, upright))


def _areas(mesh: Mesh, upright: Floats) -> Floats:
    points, _ = mesh.pose(upright)
    quads = mesh.quads[~mesh.worn]
    a, b, c, d = points[quads.T]
    area = np.linalg.norm(np.cross(c - a, d - b), axis=1)
    shares = np.bincount(quads.ravel(), np.repeat(area, 4), len(points))
    return np.asarray(shares / shares.sum())


def _sheets(
    build: Build, look: Look, rings: Rings, rows: tuple[Floats, Floats], shoulder: float
) -> list[Sheet]:
    first, at = 0, {}
    for name, count in rings.counts().items():
        at[name] = np.arange(first, first + count)
        first += count
    sheets = [
        torso.trunk(build, look, rings.trunk, at["trunk"], shoulder),
        torso.neck(build, at["neck"]),
        *limbs.arms(build, look, rows[0], (at["left arm"], at["right arm"])),
        *limbs.legs(build, look, rows[1], (at["left leg"], at["right leg"])),
        *head.sheets(build, look, int(at["head"][0]), at["hair"]),
        *limbs.hands(build, (int(at["left hand"][0]), int(at["right hand"][0]))),
        *limbs.shoes(build, (int(at["left shoe"][0]), int(at["right shoe"][0])), rings.ankle_m),
    ]
    if len(rings.hem):
        sheets.append(torso.hem(build, look, rings.hem, at["hem"]))
    if look.hood or (look.open_front and look.sleeve > 0.3):
        sheets.append(torso.collar(build, look, at["neck"]))
    if look.hood:
        sheets.append(torso.hood(build, int(at["back"][0])))
    carried = torso.bag(build, look, int(at["back"][0]), int(at["hip"][0]))
    return sheets if carried is None else [*sheets, carried]


def _upright(build: Build, shoulder: float) -> Stance:
    """Someone who stands with arms a little out, to learn which side of a surface is out."""
    place: dict[Joint, tuple[float, float, float]] = {
        Joint.PELVIS: (0, 0, 0.53),
        Joint.CHEST: (0, 0, 0.70),
        Joint.NECK: (0, 0, 0.83),
        Joint.HEAD: (0, 0.01, 0.935),
    }
    for joint, side in ((Joint.LEFT_SHOULDER, -1), (Joint.RIGHT_SHOULDER, 1)):
        place |= {
            joint: (side * shoulder, 0, 0.81),
            Joint(joint + 2): (side * (shoulder + 0.05), 0, 0.63),
            Joint(joint + 4): (side * (shoulder + 0.07), 0.05, 0.485),
            Joint(joint + 6): (side * (shoulder + 0.08), 0.06, 0.44),
            Joint(joint + 8): (side * 0.055, 0, 0.53),
            Joint(joint + 10): (side * 0.06, 0.005, 0.285),
            Joint(joint + 12): (side * 0.06, 0, 0.039),
            Joint(joint + 14): (side * 0.07, 0.11, 0.01),
        }
    joints = np.array([place[joint] for joint in Joint], np.float64) * build.height
    ahead = np.array([0.0, 1.0, 0.0])
    return Stance(joints, ahead, ahead)
