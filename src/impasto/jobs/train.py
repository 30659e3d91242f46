"""Networks that stylize in one pass, make textures, or enlarge pictures: `train`."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, INPUT, Job, device_option
from impasto.options import FILE, FLAG, MODEL, NAMES, TEXT, WHOLE, option
from impasto.options import FILES as PATHS
from impasto.training.settings import LossWeights, TrainSettings

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell
    from impasto.training.loop import Device, TrainStep
    from impasto.training.recipes import Material, Recipe

STYLE, ANY, TEXTURE, SUPER = TASKS = ("style", "any-style", "texture", "super-resolution")


@dataclass(frozen=True, eq=False, repr=False)
class Train(Job, TrainSettings, LossWeights):
    """Train a network to paint in one pass, on your paintings. Interrupted, the same command goes on."""

    name: ClassVar[str] = "train"
    example: ClassVar[str] = "impasto train painting.jpg --photos holidays/ --minutes 15 -o painting.safetensors"

    # fmt: off
    painting: tuple[str, ...] = option((), PATHS, "A painting for each style; a folder stands for its pictures.",
        group=INPUT, positional=True, metavar="PAINTING")
    _: KW_ONLY
    photos: tuple[str, ...] = option((), PATHS, "Folder of photographs; made-up scenes serve without one.", group=INPUT,
        metavar="FOLDER")
    task: str = option(STYLE, TEXT, "Kind of model: style, any-style, texture or super-resolution.", group=INPUT,
        choices=TASKS)
    network: str = option("quarter", TEXT, "Kind of network: quarter, johnson or pyramid.", group=INPUT, modes=(STYLE,))
    network_option: tuple[str, ...] = option((), NAMES,
        "Option of the network, such as width=32; each is given by itself.",
        group=INPUT, flag="--option", metavar="NAME=VALUE")
    body: str | None = option(None, MODEL,
        "Model to begin with: a file, any, or none; any if it fits and nothing is given.", group=INPUT,
        modes=(STYLE, ANY))
    add: str | None = option(None, MODEL,
        "Model to add styles to; its own stay, and only the new ones' vectors are trained.", group=INPUT,
        modes=(STYLE,))
    held_out: tuple[str, ...] = option((), PATHS,
        "Folder of paintings that are held out of the training.", group=INPUT, modes=(ANY,),
        metavar="FOLDER")
    scale: int = option(4, WHOLE, "Factor of enlargement: 2, 4 or 8.", group=INPUT, modes=(SUPER,))
    loss: str = option("feature", TEXT, "Loss of super-resolution: feature or pixel.", group=INPUT,
        choices=("feature", "pixel"), modes=(SUPER,))
    batch: int = option(4, WHOLE, "Photographs in a training step.", group="training", least=1)
    side: int = option(256, WHOLE, "Side of the square crops in pixels.", group="training", least=32)
    loss_encoder: str = option("lite", TEXT, "Encoder whose features are compared: lite, vgg19 or vgg16.",
        group="loss")
    weights: str | None = option(None, FILE, "The encoder's weights: a file, or a folder that holds it.", group="loss",
        metavar="PATH", decides=False)
    workers: int = option(0, WHOLE, "Processes that decode photographs.", group=COMPUTING, least=0, decides=False)
    accelerate: bool = option(False, FLAG,
        "Train on several devices, as `accelerate launch` sets them up.", group=COMPUTING,
        decides=False)
    device: str = device_option()
    precision: str = option("auto", TEXT, "Arithmetic of the network: fp32, or bf16 for mixed precision.",
        group="training", choices=("fp32", "bf16"), auto="bf16 where the processor has instructions for it")
    output: str = option(None, FILE, "Model to write: .safetensors.", group=FILES, required=True, decides=False)
    report: str | None = option(None, FILE, "File to write settings, hashes and losses to: .json.", group=FILES,
        decides=False)
    force: bool = option(False, FLAG, "Overwrite files that exist.", group=FILES, decides=False)
    # fmt: on

    @property
    def mode(self) -> str:
        return self.task

    @property
    def mode_shown(self) -> str:
        return f"with task {self.task}"

    def usual(self) -> Mapping[str, Any]:
        # Rates as far as networks of each kind were seen to learn well.
        fast = self.task == STYLE and self.optimizer == "muon" and self.add is None
        return {"steps": 4000, "rate": 1e-2 if fast else 3e-3}

    def check(self) -> None:
        if not self.painting and self.task != SUPER:
            raise InputError("painting is missing: give at least one painting to learn")
        self.network_options()

    def network_options(self) -> dict[str, Any]:
        """`width=32` as a mapping; whole numbers as such, everything else as words."""
        found: dict[str, Any] = {}
        for text in self.network_option:
            name, _, value = text.partition("=")
            if not (name and value):
                raise InputError(f"an option of a network is NAME=VALUE, such as width=32; got {text!r}")
            found[name] = int(value) if value.isdecimal() else value
        return found

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        from impasto.devices import resolve_device
        from impasto.features import load_encoder, resolve_precision
        from impasto.files import check_apart, check_target
        from impasto.jobs.records import Note, Progress
        from impasto.media import pictures_in
        from impasto.training.loss import LossSettings
        from impasto.training.recipes import Material, apart

        check_target(self.output, force=self.force, suffixes=(".safetensors",))
        check_apart(output=self.output, report=self.report)
        if self.report is not None:
            check_target(self.report, force=self.force, suffixes=(".json",))
        device, notes = resolve_device(self.device), list[Note]()
        precision = resolve_precision(self.precision, device)
        paintings = [p for given in self.painting for p in _files(given)]
        files = [p for folder in self.photos for p in pictures_in(folder, recursive=True)]
        if not files and self.task != TEXTURE:
            yield Note("no photos: made-up scenes serve instead, which is second best")
        trainer = accelerator(precision) if self.accelerate else None
        device = device if trainer is None else str(trainer.device)  # type: ignore[attr-defined]
        kept, look_at = apart(files)
        encoder = load_encoder(self.loss_encoder, weights=self.weights, precision=precision, device=device)
        weights = {f.name: getattr(self, f.name) for f in fields(LossWeights)}
        strengths = LossSettings(**weights, soft=self.task == ANY)
        material = Material(
            kept, look_at, encoder, strengths, self.batch, self.side, self.seed, self.workers, device,
            lambda text: notes.append(Note(text)),
        )  # fmt: skip
        recipe = self.recipe(paintings, material)
        yield Progress("training", 0, 1)
        yield from self._train(recipe, paintings, precision, trainer, notes)

    def recipe(self, paintings: list[Path], material: Material) -> Recipe:
        """The training that is asked for."""
        from impasto.media import pictures_in
        from impasto.networks.painter import open_model
        from impasto.training.recipes import any_recipe, styles_recipe, texture_recipe, upscale_recipe

        options = self.network_options()
        if self.task == SUPER:
            return upscale_recipe(material, self.scale, self.loss, options)  # type: ignore[arg-type]
        if self.task == TEXTURE:
            return texture_recipe(paintings, material, options)
        if self.task == ANY:
            apart_files = [p for folder in self.held_out for p in pictures_in(folder, recursive=True)]
            start = None if self.body in (None, "none") else open_model(self.body)
            return any_recipe(paintings, material, held_out=apart_files, options=options, body=start)
        body = self.add or self.body
        if body is None and self.network == "quarter" and not options:
            body = "any"
        start = None if body in (None, "none") else open_model(body)
        return styles_recipe(
            paintings, material, kind=self.network, options=options, body=start, add=self.add is not None
        )

    def _train(
        self, recipe: Recipe, paintings: list[Path], precision: str, trainer: Device | None, notes: list[Any]
    ) -> Generator[Record, None, None]:
        from impasto.errors import Interrupted, NonFiniteError
        from impasto.jobs.records import Learnt, Wrote
        from impasto.training.loop import goes_on, train

        settings = TrainSettings(
            **{f.name: getattr(self, f.name) for f in fields(TrainSettings)} | {"precision": precision}
        )
        checkpoint = Path(self.output).with_name(f"{Path(self.output).stem}.checkpoint.pt")
        main = trainer is None or trainer.is_main_process
        # The state beside a finished model is of no worth to a training of something else.
        anew = Path(self.output).exists() and not goes_on(checkpoint, settings, recipe.identity)
        steps = train(recipe.task, settings, checkpoint=checkpoint, device=trainer, identity=recipe.identity, anew=anew)
        curve: list[dict[str, Any]] = []
        last: TrainStep | None = None
        try:
            for last in steps:
                yield from notes
                notes.clear()
                if last.step % 10 == 0 or last.held_out is not None:
                    held = None if last.held_out is None else dict(last.held_out)
                    seconds = round(last.seconds, 1)
                    curve.append({"step": last.step, "seconds": seconds, "losses": last.losses, "held_out": held})
                if last.held_out is not None and main:
                    self._sheet(recipe, last)
                if main:
                    yield Learnt(last.step, last.done, last.loss, last.seconds, last.held_out)
        except KeyboardInterrupt:
            text = f"interrupted: the state is in {checkpoint}; the same command goes on from it"
            raise Interrupted(text) from None
        except NonFiniteError as error:
            error.args = (f"{error}; the last good state is in {checkpoint}",)
            raise
        if not main:
            return
        self._save(recipe, paintings, last, curve)
        more = "--minutes" if self.minutes else "--steps"
        yield Wrote(self.output, f"with more {more} and --force it goes on from {checkpoint}")

    def _save(self, recipe: Recipe, paintings: list[Path], last: TrainStep | None, curve: list[dict[str, Any]]) -> None:
        """Write the model, and the report if there is to be one."""
        from impasto.files import file_hash, write_text
        from impasto.networks.models import save_model

        model = recipe.model(recipe.task.network)
        model.about = self.as_json(portable=True) | {
            "paintings": {p.name: file_hash(p) for p in paintings} if len(paintings) <= 64 else len(paintings),
            "licence": "that of whoever trained it",
            "steps": last.step if last else 0,
            "seconds": round(last.seconds) if last else 0,
        }
        save_model(model, self.output)
        if self.report is not None:
            write_text(self.report, json.dumps(model.about | {"curve": curve}, indent=1))

    def _sheet(self, recipe: Recipe, step: TrainStep) -> None:
        """What the network makes of the first held-out batch now, below the photographs."""
        from impasto.media import sheet, write_image
        from impasto.training.loop import sample

        images, made = sample(recipe.task, step.network())
        pictures = [made] if images is None else [images, made]
        rows = [[x[None].cpu() for x in row] for row in pictures]
        page = sheet(rows, ["photo", "network"][-len(rows) :], [""] * len(made))
        write_image(Path(self.output).with_name(f"{Path(self.output).stem}-samples.png"), page)


def _files(given: str) -> list[Path]:
    from impasto.media import pictures_in

    return pictures_in(given, recursive=True) if Path(given).is_dir() else [Path(given)]


def accelerator(precision: str) -> Device:
    """Hugging Face's `Accelerator`.

    Raises:
        InputError: if it is not installed.
    """
    from impasto.optional import needed

    found: Device = needed("accelerate", "train").Accelerator(mixed_precision="bf16" if precision == "bf16" else "no")
    return found
