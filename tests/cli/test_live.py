"""`live`: frames are painted one by one, shown or written; `export` and the choice of a runtime."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from impasto.cli.common import open_network
from impasto.cli.live import Brush, Meter
from PIL import Image

from impasto import cli
from impasto.cli import live as command
from impasto.errors import InputError
from impasto.media.video import Frame, Video, VideoWriter
from impasto.methods.instant import Painter, instant
from impasto.methods.settings import StylizeSettings
from impasto.networks.models import Model, load_model, save_model
from impasto.networks.registry import build
from impasto.pictures.color import chroma

pytest.importorskip("av")


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr(sys, "argv", ["impasto", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


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
def onnx_file(model: Path) -> Path:
    """The same network, exported on the command line."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = model.with_suffix(".onnx")
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "export", model, path, "--quiet") == 0
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


def test_a_video_is_painted_as_its_frames_would_be(
    monkeypatch: pytest.MonkeyPatch, clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert run(monkeypatch, "live", clip, "--model", model, "--style", "lines", "--size", 56, "-o", out) == 0
    assert "5 frames" in capsys.readouterr().err
    found, plain = list(Video(str(out)).frames()), list(Video(str(clip), 56).frames())
    assert [f.seconds for f in found] == pytest.approx([f.seconds for f in plain]) and Video(str(out)).rate() == 10
    painter = Painter(load_model(model))
    for painted, frame in zip(found, plain, strict=True):
        expected = instant(painter, frame.pixels, painter.model.blended({"lines": 1.0}), StylizeSettings(size=56))
        lost = (painted.pixels - expected).abs().mean()  # by the codec
        other = instant(painter, frame.pixels, painter.model.blended({"dots": 1.0}), StylizeSettings(size=56))
        assert lost < 0.05 and lost < 0.3 * min((painted.pixels - x).abs().mean() for x in (frame.pixels, other))


def test_a_painting_and_an_onnx_file_serve_too(
    monkeypatch: pytest.MonkeyPatch, clip: Path, model: Path, onnx_file: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / "p.png")
    words = ("--size", 48, "--frames", 2, "--quiet", "--color", "content-match", "--precision", "fp32")
    found = []
    for network, out in ((model, tmp_path / "a.mp4"), (onnx_file, tmp_path / "b.mp4")):
        assert run(monkeypatch, "live", clip, tmp_path / "p.png", "--model", network, "-o", out, *words) == 0
        found.append([f.pixels for f in Video(str(out)).frames()])
    assert len(found[0]) == 2
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=0.02, rtol=0)


def test_an_interruption_leaves_a_video_that_plays(
    monkeypatch: pytest.MonkeyPatch, clip: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Video.frames

    def interrupted(self: Video) -> Iterator[Frame]:
        for i, frame in enumerate(real(self)):
            if i == 3:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(Video, "frames", interrupted)
    assert run(monkeypatch, "live", clip, "--model", model, "-o", tmp_path / "out.mp4") == 130
    monkeypatch.undo()
    assert len(list(Video(str(tmp_path / "out.mp4")).frames())) == 3
    assert "interrupted" in capsys.readouterr().err


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
    monkeypatch: pytest.MonkeyPatch, clip: Path, model: Path
) -> None:
    monkeypatch.setattr(command, "Window", FakeWindow)
    monkeypatch.setattr(command.time, "sleep", lambda seconds: None)
    assert run(monkeypatch, "live", clip, "--model", model, "--size", 28, "--quiet") == 0
    assert FakeWindow.shown == [(1, 3, 20, 28)] * 2 and FakeWindow.closed


def test_without_a_display_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, clip: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tkinter = pytest.importorskip("tkinter")

    def no_display() -> None:
        raise tkinter.TclError("no display name and no $DISPLAY environment variable")

    monkeypatch.setattr(tkinter, "Tk", no_display)
    assert run(monkeypatch, "live", clip, "--model", model) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "-o FILE.mp4" in error


@pytest.fixture
def brush(model: Path) -> Any:
    network = load_model(model)
    return lambda **options: Brush(Painter(network), network.blended({"dots": 1.0}), **options)


def test_strength_mirror_and_color_of_a_frame(brush: Any) -> None:
    frame = torch.rand(1, 3, 24, 31)
    painted = brush()(frame)
    assert not torch.allclose(painted, frame, atol=0.05)
    torch.testing.assert_close(brush(strength=0.0)(frame), frame)
    torch.testing.assert_close(brush(strength=0.5)(frame), (frame + painted) / 2)
    torch.testing.assert_close(brush(mirror=True)(frame), brush()(frame.flip(3)))
    torch.testing.assert_close(chroma(brush(keeps_color=True)(frame)), chroma(frame), atol=1e-5, rtol=0)


def test_the_meter_counts_the_last_second() -> None:
    meter = Meter()
    assert meter.tick(0.0, 40) == "1 frames, 0.0 a second, network 40 ms"
    for i in range(1, 31):
        line = meter.tick(i / 10, 50)
    assert line == "31 frames, 10.0 a second, network 50 ms"
    assert meter.tick(6.0, 50).startswith("32 frames, 0.3 a second")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--strength 1.5", "strength is 1.5; it must be between 0"),
        ("--frames 0", "frames is 0"),
        ("--style dot", "did you mean dots"),
        ("--style dots --blend 1,2", "2 weights for 1 styles"),
        ("--color histogram", "there is none"),
        ("--color pink", "color"),
        ("--size 0", "size"),
    ],
)
def test_bad_input_is_one_line(
    words: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    clip: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "live", clip, "--model", model, "-o", tmp_path / "o.mp4", *words.split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "o.mp4").exists()


def test_the_source_is_never_written_over(
    monkeypatch: pytest.MonkeyPatch, clip: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = clip.read_bytes()
    assert run(monkeypatch, "live", clip, "--model", model, "-o", clip, "--force") == 2
    assert "is the video that is read" in capsys.readouterr().err and clip.read_bytes() == before


def test_a_runtime_and_a_file_go_together(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="impasto export"):
        open_network(str(model), "cpu", "onnx")
    with pytest.raises(InputError, match="--runtime torch cannot compute"):
        open_network(str(tmp_path / "m.onnx"), "cpu", "torch")
    with pytest.raises(InputError, match="unknown runtime 'tensorrt'"):
        open_network(str(model), "cpu", "tensorrt")
    assert list(open_network(str(model), "cpu", "torch").model.styles) == ["dots", "lines"]


def test_export_checks_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch, model: Path, onnx_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        ((model, onnx_file.with_suffix(".pt")), "expected .onnx"),
        ((model, onnx_file), "--force"),
        ((model, onnx_file, "--force", "--style", "dot"), "did you mean dots"),
        ((onnx_file, onnx_file, "--force"), "ONNX file already"),
    ):
        assert run(monkeypatch, "export", *words) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert list(open_network(str(onnx_file), "cpu", "onnx").model.styles) == ["dots", "lines"]
