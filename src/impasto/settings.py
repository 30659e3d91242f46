"""Settings: frozen dataclasses, from which command line, reports and resume files take their fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from impasto.errors import InputError, unknown
from impasto.features import PRECISIONS
from impasto.objective import CONVENTIONS, MATCHINGS, STYLE_LOSSES
from impasto.optimize import OPTIMIZERS

#: Style loss -> the layers that it reads unless told otherwise.
STYLE_LAYERS = dict.fromkeys(STYLE_LOSSES, ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")) | {
    "patches": ("relu3_1", "relu4_1"),
    "nearest": ("relu2_1", "relu3_1", "relu4_1", "relu5_1"),
}
#: Encoder -> the layers that a content is read from, and those of all others. `lite` explains 95 % of relu4_1's energy,
#: but 84 % of relu4_2's.
CONTENT_LAYERS = {"lite": ("relu4_1",)}
USUAL_CONTENT_LAYERS = ("relu4_1", "relu4_2")
#: Values of `init` that are no path.
STARTS = ("content", "noise", "gray", "style", "instant")
#: How pictures are optimized that shall not deceive their encoder (`docs/decisions/0007-lite-is-jittered.md`).
JITTERED: dict[str, Any] = {"cooldown": 0.8, "jitter": 16, "levels": 4, "rate": 0.03}
#: What a style's weight is multiplied by in jittered pictures of `lite`, so that it means the same as with VGG-19:
#: then VGG-19 sees as much of the photograph in them as in its own (`docs/lite.md`).
LITE_BALANCE = 0.6
#: Steps a scale from which on that is worth it with `lite`; L-BFGS gets further in fewer.
LITE_STEPS = 60
#: Sides of pictures, and of paintings at their scale, at most, in pixels; and how much larger strokes may be.
LONGEST, LARGEST_STROKES = 32768, 8.0
COLORS = ("style", "content-luminance", "content-match", "histogram")


@dataclass(frozen=True)
class StylizeSettings:
    """Everything that decides what `stylize` makes of its two pictures.

    Attributes:
        size: long side of the result in pixels; the style is read at the same size, so that its strokes grow with the
            picture.
        encoder: a key of `impasto.features.ENCODERS`, or `auto`: VGG-19 where it is found, else `lite`.
        pooling: `max` as the encoders were trained, or `avg`.
        precision: of the maps of the encoder, or of the network that paints in one pass, one of
            `impasto.features.PRECISIONS`; everything else is float32. `auto` is `bf16` on processors that have
            instructions for it, which takes half of the time.
        content_weight, style_weight, tv_weight: weights of the terms.
        balance: what the style's weight is multiplied by; None for 1, or `LITE_BALANCE` in jittered pictures of `lite`.
        content_layers, style_layers: layers that they read; if empty, the content's are those of the encoder
            (`CONTENT_LAYERS`) and the style's those of `style_loss`.
        style_layer_weights: one for each style layer; equal ones if empty. They are normalized to sum to 1.
        style_loss: how styles are compared, one of `impasto.objective.STYLE_LOSSES`.
        style_scales: sizes of the style's strokes, relative to the picture; several are averaged.
        style_rotations: degrees; copies of the style turned by these are part of it (for `patches` and `nearest`).
        color: keep the `style`'s colors, the content's chroma exactly (`content-luminance`), or first give the style
            the content's mean and covariance (`content-match`) or histogram (`histogram`).
        color_form: matrix root of `content-match`: `cholesky` or `symmetric`.
        semantic_weight: say of semantic maps against features, where patches are compared.
        feather: blur of masks, as a fraction of the long side.
        dream, dream_weight: a layer, or `LAYER:CHANNEL`, whose activation is raised at the same time.
        convention: how losses are scaled, a key of `impasto.objective.CONVENTIONS`.
        tv: definition of total variation: `squared`, `absolute`, or `power` with `tv_gamma`.
        optimizer: `lbfgs` or `adam`; `auto` is `lbfgs`, but with jitter it is `adam` and what `JITTERED` says, and so
            it is with the encoder `lite`, `LITE_STEPS` or more and a style loss that is no matching of patches.
        history: pairs that L-BFGS remembers.
        levels: of a pyramid in which both optimizers move the picture, so that what many pixels agree on moves further;
            1 for none.
        rate: learning rate of Adam, in units of the range [0, 1].
        cooldown: share of each scale's steps, the last ones, in which that rate falls to nothing.
        jitter: the encoder sees the picture displaced at random, from one of so many places each way, see
            `impasto.transforms.jittered`; for Adam. 0 for no jitter.
        steps: of each scale.
        first_steps: of the coarsest, if it has another number.
        warmup_steps: of each scale, made with the encoder `warmup_encoder` before its own: `lite` is a quarter of
            VGG-19's work, and its pictures are most of the way.
        warmup_encoder: a key of `impasto.features.ENCODERS`; there is no warm-up where `encoder` is the same.
        scales: how many, each `scale_factor` times as large as the one before; None for as many as begin at 256 pixels
            or more, so that a small preview shows what a large picture will be.
        average: weight of the past in a running average of the pictures, which is what is shown, kept and handed to
            the next scale; 0 for none.
        init: start from `content`, `noise`, `gray` (all but no noise), `style`, `instant` (what a network makes of it
            in one pass), or the path of a picture or of a trained network (`impasto train`).
        seed: of the noise.
    """

    size: int = 512
    encoder: str = "auto"
    pooling: str = "max"
    precision: str = "auto"
    content_weight: float = 1.0
    style_weight: float = 10.0
    tv_weight: float = 0.0
    balance: float | None = None
    content_layers: tuple[str, ...] = ()
    style_layers: tuple[str, ...] = ()
    style_layer_weights: tuple[float, ...] = ()
    style_loss: str = "gram"
    style_scales: tuple[float, ...] = (1.0,)
    style_rotations: tuple[float, ...] = (0.0,)
    color: str = "style"
    color_form: str = "cholesky"
    semantic_weight: float = 1.0
    feather: float = 0.01
    dream: str = ""
    dream_weight: float = 0.0
    convention: str = "relative"
    tv: str = "squared"
    tv_gamma: float = 1.0
    optimizer: str = "auto"
    history: int = 10
    levels: int = 5
    rate: float = 0.02
    cooldown: float = 0.0
    jitter: int = 0
    steps: int = 80
    first_steps: int = 0
    warmup_steps: int = 0
    warmup_encoder: str = "lite"
    scales: int | None = None
    scale_factor: float = 2.0
    average: float = 0.0
    init: str = "content"
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(field.default, tuple):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        if not self.style_layers and self.style_loss in STYLE_LAYERS:
            object.__setattr__(self, "style_layers", STYLE_LAYERS[self.style_loss])
        self._check_choices()
        self._check_numbers()
        given = len(self.style_layer_weights)
        if given and (given != len(self.style_layers) or sum(self.style_layer_weights) == 0):
            raise InputError(
                f"there are {given} style layer weights for {len(self.style_layers)} style layers; "
                "give one for each, not all 0"
            )
        if self.jitter and self.optimizer == "lbfgs":
            raise InputError("with jitter each step has another goal, which L-BFGS cannot follow; choose adam")
        if not any((self.content_weight, self.style_weight, self.tv_weight, self.dream_weight)):
            raise InputError("all weights are 0; give the content or the style a weight")
        if self.dream_weight and not self.dream:
            raise InputError("there is a dream weight, but no layer to dream of; name one with dream")

    def _check_choices(self) -> None:
        for kind, value, known in (
            ("pooling", self.pooling, ("max", "avg")),
            ("precision", self.precision, PRECISIONS),
            ("total variation", self.tv, ("squared", "absolute", "power")),
            ("optimizer", self.optimizer, ("auto", *OPTIMIZERS)),
            ("convention", self.convention, tuple(CONVENTIONS)),
            ("style loss", self.style_loss, STYLE_LOSSES),
            ("color", self.color, COLORS),
            ("color form", self.color_form, ("cholesky", "symmetric")),
        ):
            if value not in known:
                raise unknown(kind, value, known)

    def _check_numbers(self) -> None:
        """Each number against its range; `values` is the field's value, or its items."""

        def check(names: str, fits: Callable[[float], bool], rule: str) -> None:
            check_numbers(self, names, fits, rule)

        check("size steps history levels", lambda x: x >= 1, "at least 1")
        if self.scales is not None:
            check("scales", lambda x: x >= 1, "at least 1")
        if self.balance is not None:
            check("balance", lambda x: x > 0, "a finite number above 0")
        check("first_steps warmup_steps jitter", lambda x: x >= 0, "at least 0")
        weights = "content_weight style_weight tv_weight dream_weight semantic_weight style_layer_weights"
        check(weights, lambda x: x >= 0, "a finite number, at least 0")
        check("rate tv_gamma style_scales", lambda x: x > 0, "a finite number above 0")
        check("scale_factor", lambda x: x > 1, "a finite number above 1")
        check("style_rotations", lambda _: True, "a finite number")
        check("average", lambda x: 0 <= x < 1, "at least 0 and below 1")
        check("cooldown", lambda x: 0 <= x <= 1, "between 0 and 1")
        check("feather", lambda x: 0 <= x <= 0.5, "between 0 and 0.5")
        check("style_scales", lambda x: x <= LARGEST_STROKES, f"at most {LARGEST_STROKES:g}")
        largest = self.size * max(1.0, *self.style_scales, 0.0)
        if largest > LONGEST:
            raise InputError(
                f"size is {self.size} and the style's scale {largest / self.size:g}, which makes {largest:.0f} pixels; "
                f"there may be {LONGEST} on the long side: choose a smaller size or style scale"
            )
        if not (self.style_scales and self.style_rotations):
            raise InputError("the style has no scale or no rotation; give at least one of each")

    def resolved(self, encoder: str) -> StylizeSettings:
        """With what the encoder decides: the content's layers and the balance, if there are none, and what `optimizer`
        stands for instead of `auto`, with `JITTERED`; fields that are not as they are by default stay."""
        changes: dict[str, Any] = {"optimizer": self.optimizer}
        deceived = encoder == "lite" and self.steps >= LITE_STEPS and self.style_loss not in MATCHINGS
        if self.optimizer == "auto":
            changes["optimizer"] = "adam" if self.jitter or deceived else "lbfgs"
            if self.jitter or deceived:
                changes |= {n: v for n, v in JITTERED.items() if getattr(self, n) == getattr(type(self), n)}
        if not self.content_layers:
            changes["content_layers"] = CONTENT_LAYERS.get(encoder, USUAL_CONTENT_LAYERS)
        if self.balance is None:
            jittered = changes.get("jitter", self.jitter) > 0
            changes["balance"] = LITE_BALANCE if encoder == "lite" and jittered else 1.0
        return self.changed(**changes)

    @property
    def warms_up(self) -> bool:
        """Whether another encoder makes the first steps of each scale."""
        return self.warmup_steps > 0 and self.warmup_encoder != self.encoder

    def sizes(self) -> list[int]:
        """Long sides of the picture, from coarse to fine."""
        count = self.scales
        if count is None:
            count = 1 + max(0, math.floor(math.log(self.size / 256) / math.log(self.scale_factor) + 1e-9))
        return [max(1, round(self.size / self.scale_factor**k)) for k in reversed(range(count))]

    def layer_weights(self) -> dict[str, float]:
        """Style layer -> weight; they sum to 1."""
        given = self.style_layer_weights or (1.0,) * len(self.style_layers)
        return {n: w / sum(given) for n, w in zip(self.style_layers, given, strict=True)}

    def changed(self, **changes: Any) -> StylizeSettings:
        """A copy with some fields changed; `None` leaves a field as it is.

        Raises:
            InputError: if there is no such field, or a value is out of its range.
        """
        given = known_fields(self, changes)
        if "style_loss" in given and self.style_layers == STYLE_LAYERS[self.style_loss]:
            given.setdefault("style_layers", ())  # those of the other loss, not of this one
        return replace(self, **given)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)


def known_fields(settings: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `changes` that are not `None`.

    Raises:
        InputError: if one is no field of `settings`.
    """
    known = [f.name for f in fields(settings)]
    for name in changes:
        if name not in known:
            raise unknown("setting", name, known)
    return {k: v for k, v in changes.items() if v is not None}


def check_numbers(settings: Any, names: str, fits: Callable[[float], bool], rule: str) -> None:
    """Each of the fields, or each of its items, is finite and fits.

    Raises:
        InputError: if one does not, with the rule.
    """
    for name in names.split():
        value = getattr(settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not (math.isfinite(number) and fits(number)):
                raise InputError(f"{name.replace('_', ' ')} is {number}; it must be {rule}")
