"""The settings of methods: frozen dataclasses, whose fields are the options of every front."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from impasto.canvas import CANVASES, PRIORS
from impasto.errors import InputError
from impasto.features import PRECISIONS, profile_of
from impasto.objective import CONVENTIONS, STYLE_LOSSES, style_loss
from impasto.optimize import OPTIMIZERS
from impasto.options import AUTO, FLAG, MODEL, NAMES, NUMBER, NUMBERS, SIDES, TEXT, WHOLE, Auto, Settings, known, option
from impasto.options import ENCODER as ENCODER_KIND

if TYPE_CHECKING:
    from impasto.features import Encoder

#: Values of `init` that are no path.
STARTS = ("content", "recolored", "noise", "gray", "style", "instant")
#: How pictures are optimized without jitter; with it as the encoder's `Profile` says.
STEADY: dict[str, Any] = {"cooldown": 0.0, "jitter": 0, "levels": 5, "rate": 0.02}
#: Options whose usual values depend on the number of steps, all at once.
BY_STEPS = ("balance", "optimizer", *STEADY)
#: Sides of pictures, and of paintings at their scale, at most, in pixels; and how much larger strokes may be.
LONGEST, LARGEST_STROKES = 32768, 8.0
COLORS = ("style", "painting", "content-luminance", "content-match", "histogram")

#: Groups of options, in the order in which they are shown.
PICTURE, LOSS, STYLE, SEARCH, ENCODER = "picture", "loss", "style", "optimization", "encoder"
#: The modes in which a picture is optimized step by step, from `init` or, refined, from what a network makes of it;
#: options without modes work in one pass of a network, too.
OPTIMIZE = ("optimize", "refined")
#: The modes in which a network sees the picture: optimization, and one pass.
BY_NETWORK = (*OPTIMIZE, "one pass")
#: The modes in which a texture is made of the sample's own pixels.
EFROS_LEUNG, WEI_LEVOY, QUILTING = "efros-leung", "wei-levoy", "quilting"
CLASSIC = (EFROS_LEUNG, WEI_LEVOY, QUILTING)


def encoder_name(encoder: str | Encoder) -> str:
    """The name of an encoder that is given by name, or itself."""
    return encoder if isinstance(encoder, str) else encoder.name


def encoder_option(modes: tuple[str, ...] = ()) -> Any:
    return option(
        "auto",
        ENCODER_KIND,
        "Network whose features are compared: a name (`impasto weights list`), or any torch module by its import path, "
        "package.module:name, whose code is run.",
        group=ENCODER,
        auto="VGG-19 where its weights are found, else lite",
        modes=modes,
        metavar="NAME",
    )


def _pooling(modes: tuple[str, ...] = ()) -> Any:
    return option(
        "max",
        TEXT,
        "Pooling of the encoder: max as trained, or avg.",
        group=ENCODER,
        choices=("max", "avg"),
        modes=modes,
    )


def precision_option(modes: tuple[str, ...] = ()) -> Any:
    return option(
        "auto",
        TEXT,
        "Arithmetic of encoder or network; pictures, statistics and losses stay float32.",
        group=ENCODER,
        choices=tuple(PRECISIONS),
        auto="bf16 on processors with instructions for it",
        modes=modes,
    )


def runtime_option(modes: tuple[str, ...] = ()) -> Any:
    return option(
        None,
        TEXT,
        "What computes the network: torch, or onnx (float32, CPU), which exports a model once (half a minute); as the "
        "file is if not given.",
        group="computing",
        choices=("torch", "onnx"),
        modes=modes,
        decides=False,
    )


def _seed(help: str = "Random seed.", modes: tuple[str, ...] = ()) -> Any:
    return option(0, WHOLE, help, group=SEARCH, least=0, modes=modes)


def _weight(default: float, help: str, modes: tuple[str, ...] = ()) -> Any:
    return option(default, NUMBER, help, group=LOSS, least=0, modes=modes)


CANVAS_HELP = (
    "What is optimized: pixels; fourier: the spectrum in decorrelated colors; natural: latents of a small decoder "
    "that knows what photographs look like (Nguyen et al. 2016); taef2: of a larger, fetched one."
)


def _prior_weight(default: float) -> Any:
    return _weight(default, "Weight of the mean square of latents, of the canvases natural and taef2.")


def _check_prior(settings: InversionSettings | AscentSettings) -> None:
    """Raise InputError for a weight of latents where there are none."""
    if settings.canvas not in PRIORS and settings.prior_weight != type(settings).prior_weight:
        raise InputError(f"prior weight has no effect with canvas {settings.canvas}: leave it out")


@dataclass(frozen=True, kw_only=True)
class StylizeSettings(Settings):
    """Everything that decides what `stylize` makes of its pictures."""

    # fmt: off
    size: int = option(512, WHOLE, "Long side of the result in pixels; strokes grow with it.",
        group=PICTURE, least=1, most=LONGEST)
    color: str = option("style", TEXT,
        "Colors of the result: as the style's loss has them (style), with the painting's mean and covariance "
        "(painting), the photograph's own (content-luminance), or the painting's given the "
        "photograph's mean and covariance (content-match) or histogram (histogram).", group=PICTURE, choices=COLORS,
        modes=BY_NETWORK)
    color_form: str = option("cholesky", TEXT, "Matrix root of content-match: cholesky or symmetric.", group=PICTURE,
        choices=("cholesky", "symmetric"), modes=BY_NETWORK)
    feather: float = option(
        0.01, NUMBER, "Blur of masks as a fraction of the long side.", group=PICTURE, least=0, most=0.5,
        modes=BY_NETWORK)
    content_weight: float = _weight(1.0, "How much of the photograph is kept.", OPTIMIZE)
    style_weight: float = _weight(10.0, "How strong the style is.", OPTIMIZE)
    tv_weight: float = _weight(0.0, "How smooth the picture is: weight of the total variation.", OPTIMIZE)
    balance: float | Auto = option(AUTO, NUMBER,
        "Factor of the style weight that makes it mean the same for every encoder.", group=LOSS, above=0,
        auto="what suits the encoder", modes=OPTIMIZE)
    content_layers: tuple[str, ...] | Auto = option(AUTO, NAMES,
        "Layer at which the photograph is compared; several count alike.", group=LOSS, auto="those of the encoder",
        flag="--content-layer", modes=OPTIMIZE)
    style_layers: tuple[str, ...] | Auto = option(AUTO, NAMES, "Layer at which the style is compared; several add up.",
        group=LOSS, auto="those of the style loss", flag="--style-layer", modes=OPTIMIZE)
    style_layer_weights: tuple[float, ...] = option((), NUMBERS,
        "Weight of each style layer, relative to the others; all alike if not given.", group=LOSS, least=0,
        flag="--style-layer-weight", modes=OPTIMIZE)
    style_loss: str = option(
        "gram", TEXT, "Measure by which styles are compared.", group=LOSS, choices=lambda: STYLE_LOSSES,
        modes=OPTIMIZE)
    style_scales: tuple[float, ...] = option((1.0,), NUMBERS,
        "Size of the strokes relative to the picture; several are averaged.", group=STYLE, above=0,
        most=LARGEST_STROKES,
        flag="--style-scale", modes=OPTIMIZE)
    style_rotations: tuple[float, ...] = option((0.0,), NUMBERS,
        "Degrees of rotated copies of the painting whose patches are matched, too, such as -15,0,15.", group=STYLE,
        flag="--style-rotation", modes=OPTIMIZE)
    semantic_weight: float = option(1.0, NUMBER,
        "Weight of semantic maps against features where patches are compared.", group=STYLE, least=0, modes=OPTIMIZE)
    dream: str = option(
        "", TEXT, "LAYER or LAYER:CHANNEL whose activation is raised at the same time.", group=LOSS, modes=OPTIMIZE)
    dream_weight: float | Auto = option(
        AUTO, NUMBER, "Weight of the dream's activation.",
        group=LOSS, least=0, auto="1 with dream, else 0", modes=OPTIMIZE)
    convention: str = option(
        "relative", TEXT, "Scaling of the losses: relative, or as in a paper (docs/reference).", group=LOSS,
        choices=lambda: CONVENTIONS, modes=OPTIMIZE)
    tv: str = option("squared", TEXT, "Definition of total variation.", group=LOSS,
        choices=("squared", "absolute", "power"), modes=OPTIMIZE)
    tv_gamma: float = option(
        1.0, NUMBER, "Exponent of the total variation `power`.", group=LOSS, above=0, modes=OPTIMIZE)
    optimizer: str = option("auto", TEXT, "Optimizer of the picture.", group=SEARCH, choices=OPTIMIZERS,
        auto="adam with jitter, else lbfgs", modes=OPTIMIZE)
    history: int = option(10, WHOLE,
        "Pairs of steps and changes of the gradient that L-BFGS remembers.", group=SEARCH, least=1, modes=OPTIMIZE)
    levels: int | Auto = option(AUTO, WHOLE,
        "Levels of the pyramid in which steps are made, so that what many pixels agree on moves further; 1: no "
        "pyramid.",
        group=SEARCH, least=1, most=16, auto="4 with jitter, else 5", modes=OPTIMIZE)
    rate: float | Auto = option(AUTO, NUMBER, "Learning rate of Adam, in units of the range 0 to 1.", group=SEARCH,
        above=0, auto="0.03 with jitter, else 0.02", modes=OPTIMIZE)
    cooldown: float | Auto = option(AUTO, NUMBER,
        "Share of each scale's steps, the last ones, in which Adam's learning rate falls to 0.", group=SEARCH, least=0,
        most=1, auto="0.8 with jitter, else 0", modes=OPTIMIZE)
    jitter: int | Auto = option(AUTO, WHOLE,
        "Places each way by which the encoder's view of the picture is shifted at random, with adam; 0: none.",
        group=SEARCH,
        least=0, auto="16 with lite and 60 steps or more, else 0", modes=OPTIMIZE)
    steps: int = option(80, WHOLE, "Steps at each scale.", group=SEARCH, least=1, modes=OPTIMIZE)
    first_steps: int | Auto = option(AUTO, WHOLE, "Steps at the coarsest scale.", group=SEARCH, least=1,
        auto="as many as at the others", modes=OPTIMIZE)
    warmup_steps: int = option(0, WHOLE, "Steps by the warm-up encoder at each scale, before those of a slower one.",
        group=SEARCH, least=0, modes=OPTIMIZE)
    warmup_encoder: str = option("lite", ENCODER_KIND, "Encoder of the warm-up steps.", group=SEARCH, modes=OPTIMIZE)
    scales: int | Auto = option(AUTO, WHOLE, "Scales from coarse to fine.", group=SEARCH, least=1,
        auto="as many as begin at 256 pixels or more", modes=OPTIMIZE)
    scale_factor: float = option(2.0, NUMBER, "Ratio from scale to scale.", group=SEARCH, above=1, modes=OPTIMIZE)
    keep_detail: bool = option(False, FLAG,
        "From scale to scale only what was changed is enlarged; detail is the first picture's own.", group=SEARCH,
        modes=OPTIMIZE)
    average: float = option(0.0, NUMBER,
        "Decay of a running average of the pictures, which becomes the result; 0: no average.", group=SEARCH,
        least=0, below=1, modes=OPTIMIZE)
    init: str = option("content", MODEL,
        f"First picture: {', '.join(STARTS)}, or the path of a picture or of a trained network.", group=SEARCH,
        modes=OPTIMIZE[:1])
    seed: int = _seed("Random seed of noise and jitter, or of what is copied.", (*OPTIMIZE, QUILTING))
    encoder: str | Encoder = encoder_option(OPTIMIZE)
    pooling: str = _pooling(OPTIMIZE)
    precision: str = precision_option(BY_NETWORK)
    # fmt: on

    def check(self) -> None:
        if self.style_layer_weights:
            usual = self.style_layers == AUTO
            layers = style_loss(self.style_loss).default_layers if usual else known(self.style_layers)
            given = len(self.style_layer_weights)
            if given != len(layers) or sum(self.style_layer_weights) == 0:
                raise InputError(
                    f"there are {given} style layer weights for {len(layers)} style layers; give one each, not all 0"
                )
        if self.jitter not in (AUTO, 0) and self.optimizer == "lbfgs":
            raise InputError("with jitter each step has another goal, which L-BFGS cannot follow; choose adam")
        if not any((self.content_weight, self.style_weight, self.tv_weight, self.dream_strength)):
            raise InputError("all weights are 0; give the content or the style a weight")
        if self.dream_strength and not self.dream:
            raise InputError("there is a dream weight, but no layer to dream of; name one with dream")
        if not (self.style_scales and self.style_rotations):
            raise InputError("the style has no scale or no rotation; give at least one of each")
        self.check_size()

    def check_size(self) -> None:
        """Raise InputError if the picture, or a painting at its scale, would be too large."""
        largest = self.size * max(1.0, *self.style_scales)
        if largest > LONGEST:
            raise InputError(
                f"size is {self.size} and the style's scale {largest / self.size:g}, which makes {largest:.0f} pixels; "
                f"there may be {LONGEST} on the long side: choose a smaller size or style scale"
            )

    @property
    def dream_strength(self) -> float:
        """The dream's weight."""
        return float(bool(self.dream)) if self.dream_weight == AUTO else float(self.dream_weight)

    def resolved(self, encoder: str) -> Self:
        """With what `auto` stands for, given the encoder's name; what is not `auto` stays."""
        profile, loss = profile_of(encoder), style_loss(self.style_loss)
        deceived = profile.deceived(self.steps) and loss.additive
        jitter, optimizer = self.jitter, self.optimizer
        if jitter == AUTO:
            jitter = profile.jittered["jitter"] if deceived and optimizer == AUTO else STEADY["jitter"]
        jitters = optimizer == AUTO and bool(jitter)
        usual = STEADY | (dict(profile.jittered) if jitters else {})
        if optimizer == AUTO:
            optimizer = "adam" if jitters else "lbfgs"
        stands_for = {
            **{name: usual[name] for name in ("cooldown", "levels", "rate")},
            "content_layers": profile.content_layers,
            "style_layers": loss.default_layers,
            "balance": profile.style_balance if jitter else 1.0,
            "first_steps": self.steps,
            "scales": self._usual_scales(),
            "dream_weight": self.dream_strength,
        }
        changes = {name: value for name, value in stands_for.items() if getattr(self, name) == AUTO}
        return self.changed(**changes, jitter=jitter, optimizer=optimizer)

    def _usual_scales(self) -> int:
        return 1 + max(0, math.floor(math.log(self.size / 256) / math.log(self.scale_factor) + 1e-9))

    @property
    def warms_up(self) -> bool:
        """Whether another encoder makes the first steps of each scale."""
        return self.warmup_steps > 0 and self.warmup_encoder != self.encoder

    def sizes(self) -> list[int]:
        """Long sides of the picture, from coarse to fine."""
        count = self._usual_scales() if self.scales == AUTO else known(self.scales)
        return [max(1, round(self.size / self.scale_factor**k)) for k in reversed(range(count))]

    def layer_weights(self) -> dict[str, float]:
        """Style layer -> weight; they sum to 1."""
        layers = known(self.style_layers)
        given = self.style_layer_weights or (1.0,) * len(layers)
        return {n: w / sum(given) for n, w in zip(layers, given, strict=True)}


@dataclass(frozen=True, kw_only=True)
class TextureSettings(Settings):
    """Everything that decides what `texture` makes of a sample."""

    # fmt: off
    size: tuple[int, int] = option((512, 512), SIDES,
        "Width and height of the texture in pixels: 1024x512, or one number for a square; of efros-leung and wei-levoy "
        "256x256 if not given.",
        group=PICTURE, least=1, most=LONGEST)
    sample_size: int | Auto = option(AUTO, WHOLE,
        "Long side at which the sample is read; what it shows grows with it.", group=PICTURE, least=1, most=LONGEST,
        auto="the texture's; its own, at most 512, where its pixels are copied", modes=(*OPTIMIZE, *CLASSIC))
    own_size: bool = option(
        False, FLAG, "Read the sample as it is: a larger texture has more of the same.", group=PICTURE, modes=OPTIMIZE)
    tileable: bool = option(False, FLAG, "Opposite sides of the texture fit together.", group=PICTURE,
        modes=(*OPTIMIZE, *CLASSIC))
    style_loss: str = option(
        AUTO, TEXT, "Measure by which textures are compared.", group=LOSS, choices=lambda: STYLE_LOSSES,
        auto="wasserstein with lite, else gram", modes=OPTIMIZE)
    layers: tuple[str, ...] | Auto = option(
        AUTO, NAMES, "Layer at which textures are compared; several add up.",
        group=LOSS, auto="those of the style loss", flag="--layer",
        modes=OPTIMIZE)
    layers_up_to: str | None = option(
        None, TEXT, "Deepest layer that is compared, such as relu3_1.", group=LOSS, metavar="LAYER", modes=OPTIMIZE)
    optimizer: str = option(
        "auto", TEXT, "Optimizer of the picture.", group=SEARCH, choices=OPTIMIZERS, auto="as for stylize",
        modes=OPTIMIZE)
    rate: float | Auto = option(AUTO, NUMBER, "Learning rate of Adam, in units of the range 0 to 1.", group=SEARCH,
        above=0, auto="as for stylize", modes=OPTIMIZE)
    steps: int = option(100, WHOLE, "Steps at each scale.", group=SEARCH, least=1, modes=OPTIMIZE)
    scales: int = option(
        2, WHOLE, "Scales from coarse to fine, each twice as large as the one before.", group=SEARCH, least=1,
        modes=OPTIMIZE)
    seed: int = _seed("Random seed of the noise, or of what is copied.")
    encoder: str | Encoder = encoder_option(OPTIMIZE)
    pooling: str = _pooling(OPTIMIZE)
    precision: str = precision_option(OPTIMIZE)
    # fmt: on

    def check(self) -> None:
        if self.own_size and self.sample_size != AUTO:
            raise InputError("sample size and own size exclude each other: give one of them")
        if min(self.size) < self.cell:
            shown = "x".join(map(str, self.size))
            raise InputError(
                f"the texture's size is {shown}; with {self.scales} scales both sides must be {self.cell} or more"
            )

    @property
    def cell(self) -> int:
        """Side in pixels of what has one position in the deepest layers at the coarsest scale."""
        return 16 << (self.scales - 1)


@dataclass(frozen=True, kw_only=True)
class InversionSettings(Settings):
    """Everything that decides what `invert` makes of a picture."""

    # fmt: off
    layer: str = option("relu4_2", TEXT,
        "Layer whose features are inverted, such as relu4_2 or pool5; with a whole VGG also fc6, fc7, logits, prob.",
        group=LOSS)
    size: int = option(224, WHOLE, "Long side of the result in pixels; VGG was trained at 224.",
        group=PICTURE, least=1, most=LONGEST)
    beta: float = option(2.0, NUMBER, "Exponent of the total variation (dx² + dy²)^(β/2).", group=LOSS, above=0)
    alpha: float = option(6.0, NUMBER, "Exponent α of the norm Σ |2x − 1|^α.", group=LOSS, above=0)
    tv_weight: float = _weight(1.0, "Weight of the total variation per pixel.")
    norm_weight: float = _weight(0.01, "Weight of the norm per pixel, which keeps pixels from black and white.")
    canvas: str = option("pixels", TEXT, CANVAS_HELP, group=SEARCH, choices=CANVASES)
    prior_weight: float = _prior_weight(0.01)
    optimizer: str = option("lbfgs", TEXT, "Optimizer of the picture.", group=SEARCH, choices=OPTIMIZERS)
    rate: float = option(0.05, NUMBER, "Learning rate of Adam.", group=SEARCH, above=0)
    steps: int = option(200, WHOLE, "Steps of the optimization.", group=SEARCH, least=1)
    seed: int = _seed("Random seed of the noise.")
    encoder: str | Encoder = encoder_option()
    pooling: str = _pooling()
    # fmt: on

    def check(self) -> None:
        _check_prior(self)

    @property
    def classifier(self) -> bool:
        """Whether the layer is one of the fully connected ones."""
        from impasto.features.classifier import CLASSIFIER_LAYERS

        return self.layer in CLASSIFIER_LAYERS


@dataclass(frozen=True, kw_only=True)
class DreamSettings(Settings):
    """Everything that decides what is dreamt of."""

    # fmt: off
    layer: str = option("relu4_2", TEXT, "Layer whose activation grows, such as relu4_2.", group=LOSS)
    channel: int | None = option(None, WHOLE,
        "Channel of the layer whose activation grows; all of them if not given.", group=LOSS, least=0)
    size: int | Auto = option(
        AUTO, WHOLE, "Long side of the result in pixels.", group=PICTURE, least=1, most=LONGEST,
        auto="the picture's own")
    octaves: int = option(4, WHOLE, "Octaves: sizes from small to large.", group=SEARCH, least=1)
    octave_scale: float = option(1.4, NUMBER, "Ratio from octave to octave.", group=SEARCH, above=1)
    steps: int = option(10, WHOLE, "Steps of each octave.", group=SEARCH, least=1)
    rate: float = option(
        1.5 / 255, NUMBER, "Mean change of a value by one step, in units of the range 0 to 1.", group=SEARCH, above=0)
    jitter: int = option(32, WHOLE,
        "Pixels by which the picture is rolled at random before each step.", group=SEARCH, least=0)
    canvas: str = option("pixels", TEXT,
        "What is optimized: pixels, or natural: latents of a small decoder; taef2: of a fetched one.", group=SEARCH,
        choices=("pixels", *PRIORS))
    seed: int = _seed("Random seed of the jitter.")
    encoder: str | Encoder = encoder_option()
    pooling: str = _pooling()
    # fmt: on


@dataclass(frozen=True, kw_only=True)
class AscentSettings(Settings):
    """Everything that decides how a unit is shown."""

    # fmt: off
    size: int = option(224, WHOLE, "Side of the square picture in pixels.", group=PICTURE, least=32, most=LONGEST)
    canvas: str = option("fourier", TEXT, CANVAS_HELP, group=SEARCH, choices=CANVASES)
    prior_weight: float = _prior_weight(25.0)
    norm_weight: float = _weight(0.0, "Weight of Σ (2x − 1)², which keeps the picture gray (Simonyan et al. 2014).")
    tv_weight: float = _weight(0.0, "Weight of the squared total variation.")
    blur_every: int = option(
        0, WHOLE, "Steps between blurs of the picture (Yosinski et al. 2015); 0: none.", group=SEARCH, least=0)
    blur_sigma: float = option(0.5, NUMBER, "Standard deviation of the blur in pixels.", group=SEARCH, least=0)
    clip_percentile: float = option(0.0, NUMBER,
        "Percentile of contribution below which pixels become gray; 0: none.", group=SEARCH, least=0, most=100)
    shift: float = option(8.0, NUMBER,
        "Pixels by which the picture is shifted at random before each step (Olah et al. 2017).", group=SEARCH, least=0)
    scale: float = option(0.1, NUMBER,
        "Fraction by which the picture is scaled at random before each step.", group=SEARCH, least=0)
    degrees: float = option(10.0, NUMBER,
        "Degrees by which the picture is rotated at random before each step.", group=SEARCH, least=0)
    diversity_weight: float = _weight(1.0, "Weight of the term that pushes several answers apart.")
    rate: float = option(0.05, NUMBER, "Learning rate of Adam.", group=SEARCH, above=0)
    steps: int = option(200, WHOLE, "Steps of the optimization.", group=SEARCH, least=1)
    seed: int = _seed()
    encoder: str | Encoder = encoder_option()
    pooling: str = _pooling()

    def check(self) -> None:
        _check_prior(self)
