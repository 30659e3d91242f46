"""How networks are trained, and for what: the options of `impasto train`."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.objective.registry import USUAL_STYLE_LAYERS
from impasto.options import NAMES, NUMBER, TEXT, WHOLE, Settings, option

TRAINING, LOSS = "training", "loss"
OPTIMIZERS = ("muon", "adam")


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Everything that decides how a network is trained, beside its task."""

    # fmt: off
    steps: int = option(2000, WHOLE,
        "Training steps at most; the learning rate's schedule is laid over them.", group=TRAINING,
        least=1, decides=False)
    minutes: float = option(0.0, NUMBER,
        "Minutes of training at most, over all sittings; the schedule follows steps or minutes, whichever end first; "
        "0: no limit.",
        group=TRAINING, least=0, decides=False)
    optimizer: str = option("muon", TEXT, "Optimizer of the network's weights.", group=TRAINING, choices=OPTIMIZERS)
    rate: float = option(3e-3, NUMBER, "Highest learning rate.", group=TRAINING, above=0)
    warmup: int = option(100, WHOLE,
        "Steps until the highest learning rate is reached; after them it falls as a cosine.", group=TRAINING,
        least=0)
    decay: float = option(0.0, NUMBER, "Decay of weights, as in AdamW.", group=TRAINING, least=0)
    average: float = option(0.99, NUMBER,
        "Decay of the running average of the parameters, which becomes the model.",
        group=TRAINING, least=0, below=1)
    clip: float = option(1.0, NUMBER, "Largest norm of a gradient.", group=TRAINING, above=0)
    held_out_batches: int = option(5, WHOLE,
        "Batches held out of the training, on which losses are measured; 0: none.", group=TRAINING,
        least=0, decides=False)
    look_every: int = option(200, WHOLE,
        "Steps between measurements on the held-out batches, each with a sheet of samples.",
        group=TRAINING, least=1, decides=False)
    patience: int = option(0, WHOLE,
        "Measurements without improvement after which the training stops; 0: never.", group=TRAINING, least=0,
        decides=False)
    save_every: int = option(100, WHOLE, "Steps between checkpoints.", group=TRAINING, least=1, decides=False)
    precision: str = option("fp32", TEXT, "Arithmetic of the network: fp32, or bf16 for mixed precision.",
        group=TRAINING, choices=("fp32", "bf16"))
    seed: int = option(0, WHOLE, "Random seed of every choice.", group=TRAINING, least=0)
    # fmt: on


@dataclass(frozen=True, kw_only=True)
class LossWeights(Settings):
    """The objective of a training: layers and weights of its terms."""

    # fmt: off
    content_layers: tuple[str, ...] = option((
        "relu4_1",), NAMES, "Layer at which photographs are compared; several add up.",
        group=LOSS, flag="--content-layer")
    style_layers: tuple[str, ...] = option(USUAL_STYLE_LAYERS, NAMES,
        "Layer at which styles are compared; several add up.",
        group=LOSS, flag="--style-layer")
    content_weight: float = option(1.0, NUMBER, "How much of the content is kept.", group=LOSS, least=0)
    style_weight: float = option(5.0, NUMBER, "How strong the style is.", group=LOSS, least=0)
    tv_weight: float = option(0.0, NUMBER, "How smooth the pictures are: weight of the total variation.", group=LOSS,
        least=0)
    grid_weight: float = option(300.0, NUMBER,
        "Weight against a pattern that is repeated in every cell of 16x16 pixels.", group=LOSS, least=0)
    blocks_weight: float = option(5.0, NUMBER, "Weight against borders of cells of 8x8 pixels.", group=LOSS, least=0)
    spectrum_weight: float = option(0.3, NUMBER, "Weight for fine detail as strong as the painting's.", group=LOSS,
        least=0)
    steady: float = option(0.0, NUMBER,
        "Weight against flicker: a picture moved by a few pixels is painted as its painting, moved; 100 is strong.",
        group=LOSS, least=0, modes=("style", "any-style"), metavar="WEIGHT")
    # fmt: on
