"""Weights are found where they should be, checked once, loaded strictly, and fetched whole or not at all."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from impasto.errors import InputError, WeightsError
from impasto.features import weights
from impasto.features.states import load_state
from impasto.features.variants import CAFFE, TORCHVISION, VGG16_WIDTHS
from impasto.features.vgg import VGG
from impasto.features.weights import DECODERS, WEIGHTS, WeightsFile

SHARED = Path(os.environ.get("IMPASTO_SHARED", Path(__file__).parents[3] / "shared")) / "weights"

TINY_WIDTHS = ((2, 2), (3, 3), (4,) * 4, (4,) * 4, (4,) * 4)
TINY16_WIDTHS = ((2, 2), (3, 3), (4,) * 3, (4,) * 3, (4,) * 3)
TINY = WeightsFile(
    name="tiny",
    url="http://127.0.0.1:1/tiny-00000000.pth",
    sha256="0" * 64,
    license="none",
    widths=TINY_WIDTHS,
    normalization=TORCHVISION,
)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty folders for everything that is searched, and `tiny` in the registry."""
    found = {"first": tmp_path / "first", "second": tmp_path / "second"}
    found |= {"hub": tmp_path / "torch/hub/checkpoints", "cache": tmp_path / "cache/weights"}
    monkeypatch.setenv("IMPASTO_WEIGHTS", f"{found['first']}{os.pathsep}{os.pathsep}{found['second']}")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setitem(WEIGHTS, "tiny", TINY)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return found


def state(widths: Any = TINY_WIDTHS, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Random weights with torchvision's names."""
    generator = torch.Generator().manual_seed(0)
    out, channels, index = {}, 3, 0
    for block in widths:
        for width in block:
            out[f"features.{index}.weight"] = torch.randn(width, channels, 3, 3, generator=generator).to(dtype)
            out[f"features.{index}.bias"] = torch.randn(width, generator=generator).to(dtype)
            channels, index = width, index + 2
        index += 1
    return out


def put(folder: Path, name: str = TINY.filenames[0], content: Any = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif name.lower().endswith(".safetensors"):
        save_file(content or state(), path)
    else:
        torch.save(content or state(), path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def message(call: Callable[[], object]) -> str:
    """The one line of the WeightsError that `call` raises."""
    with pytest.raises(WeightsError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- the registry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vgg19", "vgg16", "vgg19-caffe", "vgg16-caffe"])
def test_entries_agree_with_their_urls_and_hashes(name: str) -> None:
    entry = WEIGHTS[name]
    assert entry.name == name
    assert entry.url.startswith("https://")
    assert entry.url.rsplit("/", 1)[1] == entry.filenames[0]
    assert len(entry.sha256) in (8, 64)
    assert entry.sha256[:8] in entry.filenames[0]
    assert entry.normalization is (CAFFE if "caffe" in name else TORCHVISION)


def test_no_file_name_belongs_to_two_networks() -> None:
    names = [filename for entry in (*WEIGHTS.values(), *DECODERS.values()) for filename in entry.filenames]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("call", [weights.find, weights.locate, weights.fetch])
def test_an_unknown_name_is_refused_with_the_near_ones(call: Callable[[str], object]) -> None:
    with pytest.raises(InputError, match=r"unknown weights 'vgg18'.*vgg1[69]"):
        call("vgg18")


# --- finding ---------------------------------------------------------------------------------------------------------


def test_folders_are_searched_in_order(folders: dict[str, Path]) -> None:
    assert weights.search_folders() == [folders[key] for key in ("first", "second", "hub", "cache")]
    assert weights.find("tiny") is None
    for key in ("cache", "hub", "second", "first"):
        path = put(folders[key])
        assert weights.find("tiny") == path
    assert weights.find("tiny", put(folders["cache"], "other.bin")) == folders["cache"] / "other.bin"


def test_the_published_name_comes_before_the_others(folders: dict[str, Path]) -> None:
    other = put(folders["hub"], TINY.filenames[1])
    assert weights.find("tiny") == other
    assert weights.find("tiny", folders["hub"]) == other
    published = put(folders["hub"])
    assert weights.find("tiny") == published
    assert weights.find("tiny", str(folders["hub"])) == published


def test_without_its_variable_the_cache_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_CACHE")
    assert weights.cache_folder().name == "weights"
    assert "impasto" in weights.cache_folder().parts


@pytest.mark.parametrize("home", ["~/torch", "/data/torch", None])
@pytest.mark.parametrize("cache", ["/data/cache", None])
def test_torch_s_folder_is_known_without_torch(
    monkeypatch: pytest.MonkeyPatch, home: str | None, cache: str | None
) -> None:
    for variable, value in (("TORCH_HOME", home), ("XDG_CACHE_HOME", cache)):
        monkeypatch.delenv(variable, raising=False) if value is None else monkeypatch.setenv(variable, value)
    with_torch = weights.search_folders()
    monkeypatch.delitem(sys.modules, "torch.hub")
    assert weights.search_folders() == with_torch


def test_a_hub_folder_set_in_this_process_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    assert tmp_path / "checkpoints" in weights.search_folders()


def test_a_tilde_is_the_home_folder(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("IMPASTO_WEIGHTS", "~/second")
    path = put(folders["second"])
    assert weights.find("tiny") == path
    assert weights.find("tiny", "~/second") == path


def test_a_path_that_leads_nowhere_is_refused_though_a_folder_has_the_file(folders: dict[str, Path]) -> None:
    put(folders["first"])
    assert "does not exist" in message(lambda: weights.find("tiny", folders["second"] / "none.pth"))
    folders["second"].mkdir()
    assert "tiny-00000000.pth or tiny-00000000.safetensors" in message(lambda: weights.find("tiny", folders["second"]))


def test_the_missing_message_says_what_where_and_how(folders: dict[str, Path]) -> None:
    text = message(lambda: weights.locate("vgg19"))
    assert "\n" not in text
    assert "vgg19-dcbb9e9d.pth" in text
    assert all(str(folder) in text for folder in folders.values())
    assert text.endswith("`impasto weights fetch vgg19`")


def test_status_has_a_row_for_each_entry(folders: dict[str, Path]) -> None:
    path = put(folders["hub"])
    rows = {row.name: row for row in weights.status()}
    assert list(rows) == ["lite", *WEIGHTS, *DECODERS]
    assert (rows["lite"].path, rows["lite"].source) == (weights.find("lite"), "packaged")
    assert (rows["tiny"].path, rows["tiny"].source) == (path, "torch's hub cache")
    assert (rows["vgg19"].path, rows["vgg19"].source) == (None, None)
    assert rows["vgg19-caffe"].license.startswith("CC BY 4.0")


# --- checking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [64, 8])
def test_a_file_with_the_known_hash_passes(folders: dict[str, Path], digits: int) -> None:
    path = put(folders["first"])
    assert weights.verify(path, replace(TINY, sha256=digest(path)[:digits])) == digest(path)


@pytest.mark.parametrize("digits", [64, 8])
def test_a_file_with_another_hash_is_refused(folders: dict[str, Path], digits: int) -> None:
    path = put(folders["first"], content=b"half a file")
    text = message(lambda: weights.verify(path, replace(TINY, sha256="0" * digits, size=22)))
    assert str(path) in text
    assert "it has 11 bytes, not 22" in text
    assert f"{digest(path)[:digits]}, not {'0' * digits};" in text


def test_only_the_published_name_has_a_known_hash(folders: dict[str, Path]) -> None:
    assert weights.verify(put(folders["first"], TINY.filenames[1]), TINY) is None
    assert weights.verify(put(folders["first"], "mine.pth"), TINY) is None


def test_a_file_that_is_gone_is_refused(folders: dict[str, Path]) -> None:
    assert "cannot be read" in message(lambda: weights.verify(folders["first"] / TINY.filenames[0], TINY))


def test_a_file_is_hashed_once_until_it_changes(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []

    def count(path: Path) -> str:
        hashed.append(path)
        return digest(path)

    monkeypatch.setattr(weights, "_digest", count)
    path, other = put(folders["first"]), put(folders["second"])
    entry = replace(TINY, sha256=digest(path))
    for file in (path, other, path, other):
        weights.verify(file, entry)
    assert hashed == [path, other]

    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    weights.verify(path, entry)
    assert hashed == [path, other, path]

    stat = path.stat()
    path.write_bytes(path.read_bytes() + b"more")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    message(lambda: weights.verify(path, entry))
    assert hashed == [path, other, path, path]


def test_a_noted_hash_is_still_compared(folders: dict[str, Path]) -> None:
    path = put(folders["first"])
    weights.verify(path, replace(TINY, sha256=digest(path)))
    message(lambda: weights.verify(path, TINY))


@pytest.mark.parametrize("content", [b"", b"0" * 63, b"0" * 65, b"x" * 64, b"\xff" * 64])
def test_damaged_notes_are_ignored(folders: dict[str, Path], content: bytes) -> None:
    path = put(folders["first"])
    entry = replace(TINY, sha256=digest(path))
    weights.verify(path, entry)
    (note,) = (folders["cache"] / "verified").iterdir()
    note.write_bytes(content)
    assert weights.verify(path, entry) == digest(path)
    assert note.read_text() == digest(path)


def test_a_cache_that_cannot_be_written_breaks_nothing(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the place of a folder")
    path = put(folders["first"])
    assert weights.find("tiny") == path
    assert weights.verify(path, replace(TINY, sha256=digest(path))) == digest(path)


# --- loading ---------------------------------------------------------------------------------------------------------


def legacy(content: object, path: Path) -> Path:
    """As torchvision's and the Caffe files are: written before torch 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: put(folder),
        lambda folder: legacy(state(), folder / "old.pth"),
        lambda folder: put(folder, TINY.filenames[1]),
        lambda folder: put(folder, "mine.SafeTensors"),
        lambda folder: put(folder, content={"state_dict": state(), "epoch": 3}),
        lambda folder: put(
            folder, content=state() | {"classifier.0.weight": torch.zeros(7, 4), "classifier.1.bias": 3}
        ),
        lambda folder: put(folder, TINY.filenames[1], state() | {"classifier.6.weight": torch.zeros(7, 4)}),
        lambda folder: put(folder, content={k: torch.nn.Parameter(v) for k, v in state().items()}),
        lambda folder: put(folder, content={k: v.to(memory_format=_layout(v)) for k, v in state().items()}),
    ],
    ids=["pth", "old pth", "safetensors", "other name", "wrapped", "classifier", "classifier st", "parameters", "nhwc"],
)
def test_what_was_written_is_loaded(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    loaded = load_state(write(tmp_path), TINY)
    network = VGG(TINY_WIDTHS, TORCHVISION)
    network.load_state_dict(loaded)  # strict: every name, no other
    assert len(loaded) == 32
    expected = list(state().values())
    for value, written in zip(loaded.values(), expected, strict=True):
        assert value.dtype == torch.float32
        assert value.is_contiguous()
        assert not value.requires_grad
        assert torch.equal(value, written)


def _layout(value: Tensor) -> torch.memory_format:
    return torch.channels_last if value.ndim == 4 else torch.contiguous_format


@pytest.mark.parametrize("name", TINY.filenames)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, name: str, dtype: torch.dtype) -> None:
    written = state(dtype=dtype)
    loaded = load_state(put(tmp_path, name, written), TINY)
    assert all(value.dtype == torch.float32 for value in loaded.values())
    assert torch.equal(loaded["convs.conv5_4.weight"], written["features.34.weight"].float())


def test_weights_for_bgr_see_the_same_picture_in_rgb(tmp_path: Path) -> None:
    entry = replace(TINY, normalization=CAFFE)
    loaded = load_state(put(tmp_path), entry)
    first = state()["features.0.weight"]
    assert torch.equal(loaded["convs.conv1_1.weight"], first[:, [2, 1, 0]])
    assert torch.equal(loaded["convs.conv1_2.weight"], state()["features.2.weight"])

    network = VGG(TINY_WIDTHS, CAFFE)
    network.load_state_dict(loaded)
    image = torch.rand(1, 3, 8, 8)
    caffe = image[:, [2, 1, 0]] * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = torch.nn.functional.conv2d(caffe, first, state()["features.0.bias"], padding=1)
    torch.testing.assert_close(network(image, ["conv1_1"])["conv1_1"], expected, rtol=1e-4, atol=1e-3)


def test_loaded_weights_do_not_depend_on_the_file_any_more(tmp_path: Path) -> None:
    path = put(tmp_path)
    loaded = load_state(path, TINY)
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
    assert torch.equal(loaded["convs.conv1_1.weight"], state()["features.0.weight"])


class Code:
    """Pickled, it asks to run a command that writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"echo ran > {self.path}",)


@pytest.mark.parametrize("write", [put, lambda folder, content: legacy(content, folder / "old.pth")])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, write: Callable[..., Path]) -> None:
    ran = tmp_path / "ran"
    path = write(tmp_path, content=state() | {"features.36.weight": Code(ran)})
    text = message(lambda: load_state(path, TINY))
    assert str(path) in text
    assert "refused" in text
    assert "system" in text
    assert not ran.exists()


def test_a_plain_pickle_with_code_is_not_run_either(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    message(lambda: load_state(put(tmp_path, content=pickle.dumps(Code(ran), protocol=2)), TINY))
    assert not ran.exists()


NAN = state()["features.5.bias"] * float("nan")
WRONG = [
    # changed entries (None: left out), and what the message says
    ({"features.28.weight": None}, "conv5_1.weight, of shape (4, 4, 3, 3), is missing"),
    ({"features.34.bias": None}, "conv5_4.bias, of shape (4,), is missing"),
    ({"features.2.weight": torch.zeros(2, 3, 3, 3)}, "conv1_2.weight has shape (2, 3, 3, 3), not (2, 2, 3, 3)"),
    ({"features.2.bias": torch.zeros(1)}, "conv1_2.bias has shape (1,), not (2,)"),
    ({"features.5.bias": NAN}, "conv2_1.bias, of shape (3,), has values that are not finite"),
    ({"features.0.bias": torch.full((2,), float("inf"))}, "conv1_1.bias, of shape (2,), has values that are not"),
    ({"features.0.bias": torch.full((2,), 1e300, dtype=torch.float64)}, "conv1_1.bias, of shape (2,), has values"),
    ({"features.0.bias": torch.zeros(2, dtype=torch.uint8)}, "conv1_1.bias is torch.uint8"),
]


@pytest.mark.parametrize("name", TINY.filenames)
@pytest.mark.parametrize(("change", "says"), WRONG)
def test_the_first_wrong_tensor_is_named(tmp_path: Path, name: str, change: dict[str, Any], says: str) -> None:
    content = {key: value for key, value in (state() | change).items() if value is not None}
    path = put(tmp_path, name, content)
    text = message(lambda: load_state(path, TINY))
    assert text.startswith(str(path))
    assert says in text


@pytest.mark.parametrize("value", ["text", 3, None, torch.zeros(2).to_sparse(), torch.zeros(2, device="meta")])
def test_an_entry_that_is_no_plain_tensor_is_refused(tmp_path: Path, value: object) -> None:
    text = message(lambda: load_state(put(tmp_path, content=state() | {"features.0.bias": value}), TINY))
    assert "conv1_1.bias" in text


@pytest.mark.parametrize(
    ("widths", "entry", "says"),
    [
        (TINY16_WIDTHS, TINY, "conv3_4.weight, of shape (4, 4, 3, 3), is missing (the file has 13 convolutions, "),
        (TINY_WIDTHS, replace(TINY, widths=TINY16_WIDTHS), "the file has 16 convolutions, tiny has 13)"),
        (TINY_WIDTHS, replace(TINY, widths=VGG16_WIDTHS), "conv1_1.weight has shape (2, 3, 3, 3), not (64, 3, 3, 3)"),
    ],
)
@pytest.mark.parametrize("name", TINY.filenames)
def test_another_network_is_refused(tmp_path: Path, widths: Any, entry: WeightsFile, says: str, name: str) -> None:
    path = put(tmp_path, name, state(widths))
    text = message(lambda: load_state(path, entry))
    assert f"{path} does not hold the weights of tiny" in text
    assert says in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x80", "is not a "),
        (b"hello, this is a text file\nof two lines\n", "is not a "),
        (b"<html><body>404 Not Found</body></html>", "is not a "),
        (b"PK\x03\x04 and no more of a zip archive", "is not a "),
        (b"\xff" * 4096, "is not a "),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a "),
    ],
    ids=["empty", "one byte", "text", "html", "zip", "ones", "png"],
)
@pytest.mark.parametrize("name", TINY.filenames)
def test_what_is_no_weights_file_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = put(tmp_path, name, content)
    text = message(lambda: load_state(path, TINY))
    assert text.startswith(f"{path} {says}")


@pytest.mark.parametrize("content", [[1, 2], 3, "text", torch.zeros(3), {"state_dict": 3}, {1: torch.zeros(1)}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    assert message(lambda: load_state(path, TINY)).startswith(str(path))


WRITERS = {
    "zip": lambda folder: put(folder),
    "old": lambda folder: legacy(state(), folder / "old.pth"),
    "safetensors": lambda folder: put(folder, TINY.filenames[1]),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("part", [0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kind: str, part: float) -> None:
    path = WRITERS[kind](tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: max(1, int(len(content) * part))])
    assert message(lambda: load_state(path, TINY)).startswith(str(path))


@pytest.mark.parametrize("kind", WRITERS)
def test_damage_anywhere_is_a_weights_error_or_another_number(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    content = path.read_bytes()
    generator = torch.Generator().manual_seed(1)
    refused = 0
    for start in torch.randint(len(content), (60,), generator=generator).tolist():
        noise = torch.randint(256, (8,), generator=generator, dtype=torch.uint8).numpy().tobytes()
        path.write_bytes((content[:start] + noise + content[start + 8 :])[: len(content)])
        try:  # any other error fails the test
            assert len(load_state(path, TINY)) == 32
        except WeightsError:
            refused += 1
    assert refused


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pth", tmp_path / "none.safetensors"):
        assert message(partial(load_state, path, TINY)).startswith(str(path))


# --- fetching --------------------------------------------------------------------------------------------------------


class Server:
    """Answers on 127.0.0.1 with `content`, cut short `broken` times; counts the requests."""

    def __init__(self, content: bytes) -> None:
        self.content, self.requests, self.broken, self.answer = content, 0, 0, 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                self.send_response(outer.answer)
                self.send_header("Content-Length", str(len(outer.content)))
                self.end_headers()
                self.wfile.write(outer.content[:100] if outer.requests <= outer.broken else outer.content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{TINY.filenames[0]}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    served = Server(put(tmp_path / "served").read_bytes())
    thread = threading.Thread(target=served.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    entry = replace(TINY, url=served.url, sha256=hashlib.sha256(served.content).hexdigest())
    monkeypatch.setitem(WEIGHTS, "tiny", entry)
    yield served
    served.http.shutdown()
    thread.join()
    served.http.server_close()


def shorten(monkeypatch: pytest.MonkeyPatch, digits: int) -> None:
    monkeypatch.setitem(WEIGHTS, "tiny", replace(WEIGHTS["tiny"], sha256=WEIGHTS["tiny"].sha256[:digits]))


@pytest.mark.parametrize("digits", [64, 8])
def test_a_file_is_fetched_once(
    server: Server,
    folders: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    digits: int,
) -> None:
    shorten(monkeypatch, digits)
    path = weights.fetch("tiny")
    assert path == folders["cache"] / TINY.filenames[0]
    assert path.read_bytes() == server.content
    assert weights.find("tiny") == path
    monkeypatch.setattr(weights, "_digest", lambda path: pytest.fail("hashed again"))
    assert weights.fetch("tiny") == path
    assert server.requests == 1
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, "verified"]
    assert capfd.readouterr() == ("", "")


def test_a_file_is_fetched_into_the_folder_given(server: Server, tmp_path: Path) -> None:
    path = weights.fetch("tiny", tmp_path / "new" / "folder")
    assert path.stat().st_mode & 0o044 == 0o044, "others may read it"
    assert path.parent == tmp_path / "new" / "folder"
    assert len(load_state(path, WEIGHTS["tiny"])) == 32


@pytest.mark.parametrize("digits", [64, 8])
def test_another_file_than_the_published_one_is_not_kept(
    server: Server, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, digits: int
) -> None:
    shorten(monkeypatch, digits)
    server.content = b"<html>a portal's page</html>"
    text = message(lambda: weights.fetch("tiny"))
    assert "not the published file" in text
    assert server.url in text
    assert f"put into {folders['cache']} as {TINY.filenames[0]}" in text
    assert list(folders["cache"].iterdir()) == []
    assert server.requests == 1


@pytest.mark.parametrize("digits", [64, 8])
def test_a_damaged_file_is_replaced_only_by_a_sound_one(
    server: Server, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, digits: int
) -> None:
    shorten(monkeypatch, digits)
    path = put(folders["cache"], content=b"damaged")
    put(folders["cache"], f"{path.name}.part", b"left by a run that was killed")
    good, server.content = server.content, b"damaged too"
    message(lambda: weights.fetch("tiny"))
    assert path.read_bytes() == b"damaged"
    server.content = good
    assert weights.fetch("tiny").read_bytes() == good
    assert server.requests == 2


def test_what_is_packaged_is_not_fetched() -> None:
    assert weights.fetch("lite") == weights.locate("lite")


@pytest.mark.parametrize(("answer", "says"), [(404, "404 Not Found"), (503, "503 Service Unavailable")])
def test_an_answer_without_the_file_is_told(server: Server, folders: dict[str, Path], answer: int, says: str) -> None:
    server.answer = answer
    text = message(lambda: weights.fetch("tiny"))
    assert f"the server answered {says};" in text
    assert server.url in text
    assert list(folders["cache"].iterdir()) == []


def test_without_a_connection_it_is_told_what_to_do_by_hand(
    server: Server, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = TINY.url  # port 1: nothing listens there
    monkeypatch.setitem(WEIGHTS, "tiny", replace(TINY, url=closed))
    text = message(lambda: weights.fetch("tiny"))
    assert "no connection" in text
    assert closed in text
    assert str(folders["cache"]) in text


class Bar:
    """What pooch asks of a progress bar."""

    total = 0

    def __init__(self) -> None:
        self.count, self.resets, self.closed = 0, 0, False

    def update(self, count: int, /) -> None:
        self.count += count

    def reset(self) -> None:
        self.count, self.resets = 0, self.resets + 1

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("digits", [64, 8])
def test_a_lost_connection_is_tried_again(server: Server, monkeypatch: pytest.MonkeyPatch, digits: int) -> None:
    shorten(monkeypatch, digits)
    server.broken = 2
    bar = Bar()
    assert weights.fetch("tiny", progress=bar).read_bytes() == server.content
    assert server.requests == 3
    assert (bar.count, bar.total, bar.closed) == (len(server.content), len(server.content), True)


def test_a_connection_that_is_always_lost_is_given_up(server: Server, folders: dict[str, Path]) -> None:
    server.broken = 99
    assert "no connection to the server, or it was lost" in message(lambda: weights.fetch("tiny"))
    assert server.requests == 3
    assert list(folders["cache"].iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    text = message(lambda: weights.fetch("tiny", tmp_path / "taken"))
    assert "cannot be written" in text
    assert str(tmp_path / "taken") in text


def test_a_bar_without_tqdm_is_refused_with_the_fix(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.downloaders.tqdm", None)
    with pytest.raises(InputError, match="pip install tqdm"):
        weights.fetch("tiny", progress=True)
    assert server.requests == 0


# --- the real ones ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no folder {SHARED}; set IMPASTO_SHARED to the shared data")
@pytest.mark.parametrize("way", ["variable", "folder", "file"])
def test_the_original_vgg19_is_found_and_loaded(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    entry = WEIGHTS["vgg19-caffe"]
    file = SHARED / "vgg19-caffe-features.safetensors"
    if way == "variable":
        monkeypatch.setenv("IMPASTO_WEIGHTS", str(SHARED))
    path = weights.find("vgg19-caffe", {"variable": None, "folder": SHARED, "file": file}[way])
    assert path == file
    assert weights.verify(path, entry) is None
    loaded = load_state(path, entry)
    network = VGG(entry.widths, entry.normalization)
    network.load_state_dict(loaded)
    assert sum(value.numel() for value in loaded.values()) == 20_024_384
    gray = torch.full((1, 3, 32, 32), 0.5)
    assert network(gray, ["relu5_4"])["relu5_4"].shape == (1, 512, 2, 2)
