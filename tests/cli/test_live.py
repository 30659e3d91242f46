"""`live`: frames are painted one by one, shown or written; `export` and the choice of a runtime."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.cli import window
from impasto.errors import InputError
from impasto.export import load_onnx
from impasto.jobs.live import Live, alike
from impasto.jobs.paint import ONCE
from impasto.jobs.records import Painted, Progress, Record
from impasto.media import write_image
from impasto.media.video import Frame, Video, VideoWriter
from impasto.methods.instant import Painter, instant
from impasto.methods.settings import StylizeSettings
from impasto.networks.models import Model, load_model, save_model
from impasto.networks.registry import build
from impasto.pictures.color import chroma

pytest.importorskip("av")


Run = Callable[..., Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small random network that knows two styles, and any painting."""
    torch.manual_seed(0)
    generator = build("quarter", {"width": 8, "deep": 8, "blocks": 1, "rank": 0})
    plain = generator.plain_style()
    styles = {name: plain + 0.3 * torch.randn_like(plain) for name in ("dots", "lines")}
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(Model("quarter", generator, styles, any_style=True), path)
    return path


@pytest.fixture(scope="module")
def onnx_file(ok: Run, model: Path) -> Path:
    """The same network, exported on the command line."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = model.with_suffix(".onnx")
    ok("export", model, path, "--quiet")
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of noise that grows lighter, 10 a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    torch.manual_seed(0)
    with VideoWriter(path, 10) as writer:
        for i in range(5):
            writer.write(torch.rand(1, 3, 5, 7).repeat_interleave(8, 2).repeat_interleave(8, 3) * (0.5 + i / 10))
    return path


def test_a_video_is_painted_as_its_frames_would_be(ok: Run, clip: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    words = ("--style", "lines", "--size", 56, "--consistency", 0)
    assert f"wrote {out}" in ok("live", clip, "--model", model, *words, "-o", out).err
    found, plain = list(Video(str(out)).frames()), list(Video(str(clip), 56).frames())
    assert [f.seconds for f in found] == pytest.approx([f.seconds for f in plain]) and Video(str(out)).rate() == 10
    painter = Painter(load_model(model))
    for painted, frame in zip(found, plain, strict=True):
        expected = instant(painter, frame.pixels, painter.model.blended({"lines": 1.0}), StylizeSettings(size=56))
        lost = (painted.pixels - expected).abs().mean()  # by the codec, of a random network's white grain
        other = instant(painter, frame.pixels, painter.model.blended({"dots": 1.0}), StylizeSettings(size=56))
        assert lost < 0.06 and lost < 0.3 * min((painted.pixels - x).abs().mean() for x in (frame.pixels, other))


def test_a_painting_and_an_onnx_file_serve_too(
    ok: Run, clip: Path, model: Path, onnx_file: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / "p.png")
    words = ("--size", 48, "--frames", 2, "--quiet", "--color", "content-match", "--precision", "fp32")
    found = []
    for network, out in ((model, tmp_path / "a.mp4"), (onnx_file, tmp_path / "b.mp4")):
        ok("live", clip, tmp_path / "p.png", "--model", network, "-o", out, *words)
        found.append([f.pixels for f in Video(str(out)).frames()])
    assert len(found[0]) == 2
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=0.02, rtol=0)


def test_an_interruption_leaves_a_video_that_plays(
    monkeypatch: pytest.MonkeyPatch, run: Run, clip: Path, model: Path, tmp_path: Path
) -> None:
    real = Video.frames

    def interrupted(self: Video, tell: Any) -> Iterator[Frame]:
        for i, frame in enumerate(real(self)):
            if i == 3:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(Video, "frames", interrupted)
    ran = run("live", clip, "--model", model, "-o", tmp_path / "out.mp4")
    monkeypatch.undo()
    assert ran.code == 130 and "interrupted" in ran.err
    assert len(list(Video(str(tmp_path / "out.mp4")).frames())) == 3


@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_frames_that_are_painted_at_once_are_those_one_by_one(
    clip: Path, model: Path, consistency: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, sizes, real = dict[int, list[Painted]](), list[int](), Painter.together

    def together(self: Painter, images: list[torch.Tensor], style: torch.Tensor) -> list[torch.Tensor]:
        sizes.append(len(images))
        return real(self, images, style)

    monkeypatch.setattr(Painter, "together", together)
    for batch in (1, 3):
        job = Live(str(clip), model=str(model), size=56, consistency=consistency, precision="fp32", batch=batch)
        found[batch] = [record for record in job.records() if isinstance(record, Painted)]
    assert sorted(sizes) == [1, 1, 1, 1, 1, 2, 3]
    assert [p.seconds for p in found[1]] == [p.seconds for p in found[3]] and len(found[1]) == 5
    for one, three in zip(found[1], found[3], strict=True):
        torch.testing.assert_close(one.pixels, three.pixels, atol=1e-3, rtol=0)


def test_groups_are_of_one_size_and_an_interruption_loses_none() -> None:
    def frames() -> Iterator[Frame]:
        for width in (4, 4, 4, 6, 6, 4):
            yield Frame(torch.zeros(1, 3, 4, width), 0.0)
        raise KeyboardInterrupt

    found = []
    with pytest.raises(KeyboardInterrupt):
        for group in alike(frames(), 2):
            found.append([int(frame.pixels.shape[3]) for frame in group])
    assert found == [[4, 4], [4], [6, 6], [4]]


def test_many_frames_at_once_are_for_gpus_and_not_for_cameras() -> None:
    job = Live("clip.mp4")
    assert [job._batch(device, camera=False) for device in ("cpu", "cuda:1")] == [1, 8]
    assert job._batch("cuda", camera=True) == 1 and job.changed(batch=3)._batch("cpu", camera=False) == 3


class FakeWindow:
    """Closed by its user at the second frame."""

    shown: list[tuple[int, ...]]
    closed = False

    def __init__(self, title: str) -> None:
        FakeWindow.shown = []

    def show(self, pixels: torch.Tensor) -> bool:
        self.shown.append(tuple(pixels.shape))
        return len(self.shown) < 2

    def close(self) -> None:
        FakeWindow.closed = True


def test_without_output_a_window_shows_frames_until_it_is_closed(
    monkeypatch: pytest.MonkeyPatch, ok: Run, clip: Path, model: Path
) -> None:
    monkeypatch.setattr(window, "Window", FakeWindow)
    waited: list[float] = []
    monkeypatch.setattr(window.time, "sleep", waited.append)
    said = ok("live", clip, "--model", model, "--size", 28).err
    assert said.startswith("2 frames, ") and said.endswith(" ms\n") and len(waited) == 2
    assert FakeWindow.shown == [(1, 3, 20, 28)] * 2 and FakeWindow.closed


def test_without_a_display_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, refused: Run, clip: Path, model: Path
) -> None:
    tkinter = pytest.importorskip("tkinter")

    def no_display() -> None:
        raise tkinter.TclError("no display name and no $DISPLAY environment variable")

    monkeypatch.setattr(tkinter, "Tk", no_display)
    assert "-o FILE.mp4" in refused("live", clip, "--model", model)


def frames(clip: Path, model: Path, **options: Any) -> list[torch.Tensor]:
    """What the job paints, exactly, one style unless another is named."""
    job = Live(str(clip), **{"model": str(model), "style_name": "dots", "precision": "fp32", "frames": 2} | options)
    return [record.pixels for record in job.records() if isinstance(record, Painted)]


def test_strength_mirror_and_color_of_a_frame(clip: Path, model: Path) -> None:
    plain = [frame.pixels for frame, _ in zip(Video(str(clip)).frames(), range(2), strict=False)]
    found = frames(clip, model)
    for name, expected in {
        "none": plain,
        "half": [(a + b) / 2 for a, b in zip(plain, found, strict=True)],
    }.items():
        made = frames(clip, model, strength={"none": 0.0, "half": 0.5}[name])
        for a, b in zip(made, expected, strict=True):
            torch.testing.assert_close(a, b)
    assert not torch.allclose(found[0], plain[0], atol=0.05)
    mirrored = frames(clip, model, strength=0.0, mirror=True)
    torch.testing.assert_close(mirrored[1], plain[1].flip(3))
    kept = frames(clip, model, color="content-luminance")
    torch.testing.assert_close(chroma(kept[0]), chroma(plain[0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--strength 1.5", "strength is 1.5; it must be at least 0 and at most 1"),
        ("--frames 0", "frames is 0"),
        ("--style dot", "did you mean dots"),
        ("--style dots --blend 1,2", "2 weights for 1 styles"),
        ("--color histogram", "there is none"),
        ("--color pink", "color"),
        ("--size 0", "size"),
    ],
)
def test_bad_input_is_one_line(words: str, message: str, refused: Run, clip: Path, model: Path, tmp_path: Path) -> None:
    assert message in refused("live", clip, "--model", model, "-o", tmp_path / "o.mp4", *words.split())
    assert not (tmp_path / "o.mp4").exists()


def test_the_source_is_never_written_over(refused: Run, clip: Path, model: Path) -> None:
    before = clip.read_bytes()
    assert "is the video that is read" in refused("live", clip, "--model", model, "-o", clip, "--force")
    assert clip.read_bytes() == before


def test_a_runtime_and_a_file_go_together(
    model: Path, onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    photo = torch.rand(1, 3, 32, 40)
    common: dict[str, Any] = {"style_name": "dots", "size": 40, "precision": "fp32"}
    for file, runtime, message in (
        (onnx_file, "torch", "runtime torch cannot compute"),
        (model, "tensorrt", "unknown runtime 'tensorrt'"),
    ):
        with pytest.raises(InputError, match=message):
            impasto.instant(photo, model=str(file), runtime=runtime, **common)
    ours = impasto.instant(photo, model=str(model), runtime="torch", **common).pixels
    theirs = impasto.instant(photo, model=str(onnx_file), runtime="onnx", **common).pixels
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)
    made, said = set(), list[Record]()
    for _ in range(2):
        exported = impasto.instant(photo, model=str(model), runtime="onnx", watch=said.append, **common).pixels
        assert torch.equal(exported, theirs)
        (graph,) = tmp_path.rglob("*.onnx")
        made.add(graph.stat().st_mtime_ns)
    assert len(made) == 1
    assert [r.text for r in said if isinstance(r, Progress) and r.what == "exporting"] == [ONCE]  # the first time


def test_export_checks_what_it_is_given(refused: Run, model: Path, onnx_file: Path) -> None:
    for words, message in (
        ((model, onnx_file.with_suffix(".pt")), "expected one of .onnx"),
        ((model, onnx_file), "--force"),
        ((model, onnx_file, "--force", "--style", "dot"), "did you mean dots"),
        ((onnx_file, onnx_file, "--force"), "is an ONNX file already"),
    ):
        assert message in refused("export", *words)
    assert list(load_onnx(onnx_file).styles) == ["dots", "lines"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_what_was_written_and_the_older_file(
    number: int, monkeypatch: pytest.MonkeyPatch, run: Run, clip: Path, model: Path, tmp_path: Path
) -> None:
    write, written = VideoWriter.write, list[Any]()

    def ended(self: VideoWriter, *frame: Any) -> None:
        write(self, *frame)
        written.append(frame)
        if len(written) == 2:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(VideoWriter, "write", ended)
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")
    found = signal.getsignal(number)
    if found == signal.SIG_IGN:  # by a shell in the background, or nohup
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    before = signal.getsignal(number)
    ran = run("live", clip, "--model", model, "-o", out, "--force")
    monkeypatch.undo()
    assert ran.code == 130 and "interrupted: wrote" in ran.err and "out.part.mp4" in ran.err
    assert out.read_bytes() == b"older" and signal.getsignal(number) == before
    signal.signal(number, found)
    assert 1 <= len(list(Video(str(tmp_path / "out.part.mp4")).frames())) <= 3


def test_lost_frames_are_told_and_end_with_exit_code_1(run: Run, clip: Path, model: Path, tmp_path: Path) -> None:
    for i, frame in enumerate(Video(str(clip)).frames()):
        write_image(tmp_path / f"{i}.png", frame.pixels)
    (tmp_path / "2.png").write_bytes(b"no picture")
    ran = run("live", tmp_path, "--model", model, "-o", tmp_path / "new" / "%d.png", "--size", 56)
    assert ran.code == 1 and "1 of the pictures" in ran.err and "wrote" in ran.err
    assert len(list((tmp_path / "new").iterdir())) == 4


def test_a_missing_file_is_one_line(refused: Run, model: Path) -> None:
    assert "No such file" in refused("live", "absent.mp4", "--model", model, "-o", "out.mp4")
    assert "cannot use the path" in refused("live", "absent.mp4", "--model", model, "-o", "o" * 300 + ".mp4")
