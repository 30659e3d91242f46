"""What an encoder decides about pictures that are made with it, where settings leave it open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: How pictures are optimized that shall not deceive their encoder (`docs/decisions/0007-lite-is-jittered.md`).
JITTERED: Mapping[str, Any] = {"cooldown": 0.8, "jitter": 16, "levels": 4, "rate": 0.03}


@dataclass(frozen=True)
class Profile:
    """
    Attributes:
        content_layers: that a content is read from.
        jitter_steps: steps a scale from which on a picture is jittered unasked; None for never.
        jittered: settings of a jittered picture.
        style_balance: what a style's weight is multiplied by in jittered pictures, so that it means the same with every
            encoder.
        texture_loss: by which textures are compared with their sample.
    """

    content_layers: tuple[str, ...] = ("relu4_1", "relu4_2")
    jitter_steps: int | None = None
    jittered: Mapping[str, Any] = field(default_factory=lambda: JITTERED)
    style_balance: float = 1.0
    texture_loss: str = "gram"

    def deceived(self, steps: int) -> bool:
        """Whether so many steps a scale make pictures that only this encoder finds good, unless they are jittered."""
        return self.jitter_steps is not None and steps >= self.jitter_steps


#: Encoder -> its profile; that of all others is `Profile()`. `lite` explains 95 % of relu4_1's energy, but 84 % of
#: relu4_2's. With 0.6 VGG-19 sees as much of the photograph in its pictures as in its own (`docs/lab/lite.md`). In
#: fewer than 60 steps L-BFGS gets further. Its Gram matrices leave a gray patch in textures (`docs/lab/textures.md`).
PROFILES = {
    "lite": Profile(content_layers=("relu4_1",), jitter_steps=60, style_balance=0.6, texture_loss="wasserstein")
}


def profile_of(encoder: str) -> Profile:
    """The profile of an encoder of that name."""
    return PROFILES.get(encoder, Profile())
