"""Train the networks that are shipped; each is one command, and goes on where it was cut. See `make models`.

    python tools/make_models.py any --photos DIR --paintings DIR [DIR …] --minutes 240 --finish 45 --teacher DIR
    python tools/make_models.py gallery --photos DIR --minutes 60
    python tools/make_models.py live --photos DIR --minutes 30

A network learns from `lite`, and in the last `--finish` minutes from VGG-19, whose weights `--teacher` has. `gallery`
and `live` learn the paintings of examples/gallery.py. Pictures come from folders; those of the yardstick
(`benchmarks/instant.py`) are kept out of the training. The work lies in build/models; a finished network is copied to
src/impasto/data.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from impasto import cli

#: Photographs and paintings that quality is measured on.
YARDSTICK = {
    *("100075.jpg", "12003.jpg", "15004.jpg", "175032.jpg", "20008.jpg", "238011.jpg", "277095.jpg", "33039.jpg"),
    *("41033.jpg", "66039.jpg", "002937.jpg", "3.jpg", "ben_giles.jpg", "camille_mauclair.jpg", "flower_of_life.jpg"),
    *("misty_mood_leonid_afremov.jpg", "picasso_self_portrait.jpg", "s6.jpg", "tahiti_guaguin.jpg", "vg_olive.jpg"),
}


def linked(sources: Sequence[Path], folder: Path, *, kept_out: bool) -> Path:
    """A folder of links to the pictures of others: without the yardstick's, or with no others."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, source in enumerate(sources):
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            if (path.name in YARDSTICK) != kept_out:
                (folder / f"{number}-{path.name}").symlink_to(path.resolve())
    return folder


#: Words for `impasto train`: what is learnt, and from what network the training begins.
Words = tuple[list[str], list[str]]


def any_style(args: argparse.Namespace) -> Words:
    """Paintings are styles three times as often as photographs, which are styles,
    too: whatever has colors and textures is one. And paintings are now and then the content."""
    photos = linked(args.photos, args.work / "photos", kept_out=True)
    paintings = linked(args.paintings, args.work / "paintings", kept_out=True)
    apart = linked(args.paintings, args.work / "paintings-apart", kept_out=False)
    styles = [*[str(paintings)] * 3, str(photos)]
    contents = [word for folder in (photos, photos, paintings) for word in ("--photos", str(folder))]
    weights = ["--style-weight", "10", "--side", "192", "--batch", "4", "--rate", "0.001"]
    return [*styles, *contents, "--task", "any-style", "--held-out", str(apart), *weights], []


def painted(args: argparse.Namespace) -> list[Path]:
    """The project's own paintings, made by examples/gallery.py."""
    folder = args.work / "gallery"
    if not folder.is_dir():
        script, unfinished = Path(__file__).parent.parent / "examples" / "gallery.py", args.work / "gallery.new"
        subprocess.run([sys.executable, str(script), "--out", str(unfinished), "--size", "768"], check=True)
        unfinished.rename(folder)  # cut while painting, it begins again
    return sorted(folder.glob("*.png"))


def fixed(paintings: Sequence[Path], args: argparse.Namespace) -> list[str]:
    """Words for a network of known styles."""
    photos = linked(args.photos, args.work / "photos-fixed", kept_out=True)
    weights = ["--style-weight", "5", "--side", "256", "--batch", "4", "--rate", "0.006"]
    return [*map(str, paintings), "--photos", str(photos), *weights]


def gallery(args: argparse.Namespace) -> Words:
    """One network for all of the project's own paintings; `any`, which begins near each of them, goes first."""
    return fixed(painted(args), args), ["--body", "any"]


def live(args: argparse.Namespace) -> Words:
    """The fast one for cameras, in one style."""
    storm = [p for p in painted(args) if p.stem == "storm"]
    network = [word for o in ("width=32", "deep=64", "blocks=3", "rank=0", "fine=16") for word in ("--option", o)]
    return fixed(storm, args), ["--body", "none", *network]


RECIPES = {"any": any_style, "gallery": gallery, "live": live}
#: Words that replace others in the minutes with VGG-19: what is shown at 512 pixels learns from crops nearly as large.
FINISH = {
    "any": ["--style-weight", "5", "--side", "288", "--batch", "2"],
    "gallery": ["--style-weight", "10", "--side", "448", "--batch", "1", "--rate", "0.003", "--average", "0.995"],
    "live": ["--style-weight", "10", "--side", "448", "--batch", "1", "--rate", "0.003", "--average", "0.995"],
}


def trained(made: Path, words: Sequence[str], minutes: float, steps: int) -> None:
    """Run `impasto train`, which goes on where it was cut; what is finished stays."""
    if made.exists() and not made.with_suffix(".checkpoint.pt").exists():
        return
    sys.argv = ["impasto", "train", *words, "--minutes", str(minutes), "--steps", str(steps), "--force"]
    sys.argv += ["-o", str(made), "--report", str(made.with_suffix(".json"))]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("model", choices=RECIPES)
    a.add_argument("--photos", type=Path, nargs="+", required=True)
    a.add_argument("--paintings", type=Path, nargs="+", default=[])
    a.add_argument("--minutes", type=float, default=240.0)
    a.add_argument("--steps", type=int, default=20000)
    a.add_argument("--finish", type=float, default=0.0, help="minutes with VGG-19")
    a.add_argument("--teacher", type=Path, help="folder of VGG-19's weights")
    a.add_argument("--anew", action="store_true", help="forget what was finished before")
    a.add_argument("--work", type=Path, default=Path("build/models"))
    a.add_argument("--out", type=Path, default=Path("src/impasto/data"))
    args = a.parse_args()
    if args.model == "any" and not args.paintings:
        a.error("any needs --paintings")
    words, start = RECIPES[args.model](args)
    made = args.work / f"{args.model}.safetensors"
    finished = args.work / f"{args.model}-finished.safetensors"
    if args.anew:
        made.unlink(missing_ok=True)
        finished.unlink(missing_ok=True)
    trained(made, [*words, *start], args.minutes, args.steps)
    if args.finish:
        teacher = ["--loss-encoder", "vgg19-caffe", *(["--weights", str(args.teacher)] if args.teacher else [])]
        last = [*words, "--rate", "0.0005", *FINISH.get(args.model, []), "--body", str(made), *teacher]
        trained(finished, last, args.finish, args.steps)
        made = finished
    shutil.copyfile(made, args.out / f"{args.model}.safetensors")


if __name__ == "__main__":
    main()
