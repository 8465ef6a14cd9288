"""The jointed figure: a person seen from the front, so that its left and right can be told apart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from tradeoffs.data.shapes.silhouettes import SUBPIXEL_BITS, Points, Silhouette, blank_canvas, fixed_point, random_lean

SIDES = ("left", "right")
SIDED_NAMES = ("shoulder", "elbow", "hand", "hip", "knee", "foot")
SIDED_BONES = (("shoulder", "elbow"), ("elbow", "hand"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "foot"))

KEYPOINT_NAMES = ("head", *(f"{side}_{name}" for name in SIDED_NAMES for side in SIDES))
BONES = (
    *(("head", f"{side}_shoulder") for side in SIDES),
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    *((f"{side}_{start}", f"{side}_{end}") for side in SIDES for start, end in SIDED_BONES),
)
TRUNK = ("head", "left_shoulder", "left_hip", "right_hip", "right_shoulder")

HEAD_RADIUS = 0.11  # lengths are in units of a standing figure's height, about


def draw_figure(size: float, rng: Generator) -> Silhouette:
    """A figure in a random pose; the longer side of its box is `size` pixels."""
    joints = sample_pose(rng)
    limb_radius = rng.uniform(0.035, 0.05)
    radii = np.full((len(joints), 1), limb_radius)
    radii[0] = HEAD_RADIUS
    corner, extent = (joints - radii).min(axis=0), np.ptp([joints - radii, joints + radii], axis=(0, 1))
    scale = size / extent.max()
    joints = (joints - corner) * scale
    mask = blank_canvas(extent * scale)
    paint_body(mask, joints, HEAD_RADIUS * scale, limb_radius * scale)
    return Silhouette(mask.astype(bool), joints)


def sample_pose(rng: Generator) -> Points:
    """Joints in the order of KEYPOINT_NAMES, y downwards. The figure faces us: its left is on our right."""
    head = np.array([[0.0, -0.46]])
    left, right = sample_side(rng), sample_side(rng) * (-1, 1)
    pairs = np.stack([left, right], axis=1).reshape(-1, 2)
    return np.concatenate([head, pairs]) @ random_lean(rng)


def sample_side(rng: Generator) -> Points:
    """Joints in the order of SIDED_NAMES of the side that lies towards positive x."""
    shoulder, hip = np.array([0.11, -0.28]), np.array([0.07, 0.02])
    upper_arm, thigh = rng.uniform(10, 150), rng.uniform(0, 45)  # degrees outwards from straight down
    elbow, knee = shoulder + limb(0.18, upper_arm), hip + limb(0.23, thigh)
    hand = elbow + limb(0.18, upper_arm + rng.uniform(-60, 90))
    foot = knee + limb(0.23, thigh + rng.uniform(-50, 20))
    return np.stack([shoulder, elbow, hand, hip, knee, foot])


def limb(length: float, degrees: float) -> np.ndarray:
    return length * np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])


def paint_body(mask: np.ndarray, joints: Points, head_radius: float, limb_radius: float) -> None:
    points = dict(zip(KEYPOINT_NAMES, fixed_point(joints), strict=True))
    thickness = max(2, round(2 * limb_radius))
    for start, end in BONES:
        cv2.line(mask, points[start].tolist(), points[end].tolist(), 1, thickness, shift=SUBPIXEL_BITS)
    cv2.fillConvexPoly(mask, np.stack([points[name] for name in TRUNK]), 1, shift=SUBPIXEL_BITS)
    cv2.circle(mask, points["head"].tolist(), round(head_radius * 2**SUBPIXEL_BITS), 1, cv2.FILLED, shift=SUBPIXEL_BITS)
