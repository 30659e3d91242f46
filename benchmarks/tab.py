"""The page of `impasto export any --web` in Chromium, from a static server that compresses nothing.

    python benchmarks/tab.py [--site FOLDER] [--onnx any.onnx] [--out FILE]

Bytes of a first and a second visit and of one without the server; pictures against `impasto.instant(precision="fp32")`;
processor seconds of 512 pixels, warm, with one thread: of the page, of the graph alone in WebAssembly and of the graph
alone in ONNX Runtime; the largest memory of the page's process at 2048x2048. Needs the extras onnx and browser,
Chromium and Node.js.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx as onnx_package
import onnxruntime
import torch
from common import write
from PIL import Image
from playwright.sync_api import sync_playwright

import impasto
from impasto.features.weights import cache_folder
from impasto.jobs.export import Export
from impasto.media import read_metadata
from impasto.networks.models import load_model
from impasto.tab.rows import with_fewer_products
from impasto.tab.runtime import runtime_files

EXAMPLES = Path(__file__).parents[1] / "examples"
READY = "Ready, without a network, too."


class Handler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}
    sent = 0

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        Handler.sent += len(data)
        outputfile.write(data)

    def log_message(self, *about: Any) -> None:
        pass


def renderers() -> Iterator[Path]:
    """Chromium's processes of pages that this one started, in /proc."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
            yield Path(f"/proc/{pid}")


def processor() -> float:
    """Seconds that they took."""
    ticks = (p.joinpath("stat").read_text().rpartition(")")[2].split()[11:13] for p in renderers())
    return sum(int(t) for pair in ticks for t in pair) / os.sysconf("SC_CLK_TCK")


def peak() -> float:
    """Gigabytes that the largest of them ever had."""
    lines = (line.split() for p in renderers() for line in p.joinpath("status").read_text().splitlines())
    return max(int(words[1]) for words in lines if words[0] == "VmHWM:") / 1e6


class Page:
    """The page, and what it is told."""

    def __init__(self, browser: Any, address: str, out: Path) -> None:
        self.page = browser.new_context(accept_downloads=True).new_page()
        self.out = out / "picture.png"
        self.page.goto(address)
        self.wait()

    def wait(self) -> None:
        self.page.get_by_text(READY).wait_for(timeout=300_000)

    def give(self, photo: Path, painting: Path | None = None, style: str = "") -> None:
        """A photograph, and a painting or a style, instead of what there is."""
        page = self.page
        for which in ("#photo button, #paintings button", "#styles button[aria-pressed=true]"):
            old = page.locator(which)
            while old.count():
                old.first.click()
        page.locator("#photo-drop input").set_input_files(photo)
        if painting:
            page.locator("#paintings-drop input").set_input_files(painting)
        else:
            page.locator("#styles button").filter(has_text=style).first.click()

    def paint(self, size: int) -> dict[str, float]:
        """Seconds of a picture: all of the processor's, and those on the clock of the graph alone."""
        page = self.page
        page.locator("#size").select_option(str(size))
        began = processor()
        page.get_by_role("button", name="Paint", exact=True).click()
        page.locator("#running").wait_for(state="visible")
        page.locator("#running").wait_for(state="hidden", timeout=600_000)
        took, said = processor() - began, page.locator("#status").inner_text()
        with page.expect_download() as download:
            page.get_by_role("link", name="Save as PNG").click()
        download.value.save_as(self.out)
        return {"cpu_seconds": took, "graph_seconds": float(said.split()[2])}

    def difference(self, result: Any) -> dict[str, float]:
        """Of its picture from the command's, in levels of 255."""
        with Image.open(self.out) as image:
            found = abs(np.asarray(image).astype(int) - np.asarray(result.image).astype(int))
        return {"mean": float(found.mean()), "max": int(found.max())}


#: Processor seconds of the graph alone in WebAssembly, in Node; its compiler takes some runs to get at its best.
WASM = """
import fs from "fs";
const [runtime, graph, height, width] = process.argv.slice(1);
const ort = await import(`${runtime}/ort.wasm.min.mjs`);
Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: `file://${runtime}/`,
  wasmBinary: fs.readFileSync(`${runtime}/ort-wasm-simd-threaded.wasm`) });
const session = await ort.InferenceSession.create(fs.readFileSync(graph), { executionProviders: ["wasm"] });
const shape = [1, 3, Number(height), Number(width)], count = 3 * height * width;
const images = new ort.Tensor("float32", Float32Array.from({ length: count }, Math.random), shape);
const given = new Float32Array(Uint8Array.from(fs.readFileSync(0)).buffer);
const style = new ort.Tensor("float32", given, [1, given.length]);
for (let i = 0; i < 16; i++) {
  const began = process.cpuUsage();
  await session.run({ images, style });
  const { user, system } = process.cpuUsage(began);
  console.log((user + system) / 1e6);
}
"""


def wasm(path: Path, size: tuple[int, int]) -> float:
    """Processor seconds of one thread of onnxruntime-web, for the graph alone; the least of many, as is `native`."""
    runtime_files()
    style = load_model("any").generator.plain_style().numpy()
    words = [str(cache_folder().parent / "tab"), str(path.resolve()), *map(str, size)]
    command = ["node", "--input-type=module", "-e", WASM, *words]
    return min(
        map(float, subprocess.run(command, input=style.tobytes(), capture_output=True, check=True).stdout.split())
    )


def native(path: Path, size: tuple[int, int], count: int = 16) -> float:
    """Processor seconds of ONNX Runtime with one thread, for the graph alone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = {"images": np.random.rand(1, 3, *size).astype(np.float32)}
    given["style"] = load_model("any").generator.plain_style()[None].numpy()
    times = []
    for _ in range(count):
        began = time.process_time()
        session.run(None, given)
        times.append(time.process_time() - began)
    return min(times)


def pictures(page: Page, folder: Path) -> dict[str, Any]:
    """Differences, times and memory."""
    photo, painting = EXAMPLES / "content.png", EXAMPLES / "style.png"
    page.give(photo, painting)
    found: dict[str, Any] = {"size": 512, "first": page.paint(512)}
    again = [page.paint(512) for _ in range(3)]
    found["again"] = {key: statistics.median(one[key] for one in again) for key in again[0]}
    found["threads"] = json.loads(read_metadata(page.out)["impasto"])["threads"]
    settings: dict[str, Any] = {"precision": "fp32"}
    found["difference"] = {"any 512": page.difference(impasto.instant(photo, painting, size=512, **settings))}
    for style in ("mosaic", "storm"):
        page.give(photo, style=style)
        page.paint(512)
        result = impasto.instant(photo, style_name=style, size=512, **settings)
        found["difference"][f"{style} 512"] = page.difference(result)
    large = folder / "large.png"
    with Image.open(photo) as image:
        image.resize((2048, 2048)).save(large)
    page.give(large, painting)
    found["large"] = page.paint(2048) | {"peak_gb": peak()}
    found["difference"]["any 2048x2048"] = page.difference(impasto.instant(large, painting, size=2048, **settings))
    return found


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--site", type=Path)
    a.add_argument("--onnx", type=Path)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/tab.json"))
    args = a.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as p:
        folder = Path(name)
        root, onnx = args.site.resolve() if args.site else folder / "page", args.onnx or folder / "any.onnx"
        if not args.site:
            impasto.run(Export("any", web=str(root)))
        if not args.onnx:
            impasto.run(Export("any", str(onnx)))
        serve = functools.partial(Handler, directory=str(root.parent))
        server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = Page(browser, f"http://127.0.0.1:{server.server_port}/{root.name}/", folder)
        found: dict[str, Any] = {"chromium": browser.version, "first_visit_bytes": Handler.sent}
        found |= pictures(page, folder)
        with Image.open(page.out) as image:
            assert image.size == (2048, 2048)
        height, width = impasto.instant(EXAMPLES / "content.png", EXAMPLES / "style.png", size=512).pixels.shape[2:]
        found["native_cpu_seconds"] = native(onnx, (height, width))
        graph = onnx_package.load(onnx)
        with_fewer_products(graph)  # as the page has it
        onnx_package.save(graph, folder / "rows.onnx")
        found["wasm_cpu_seconds"] = wasm(folder / "rows.onnx", (height, width))
        found["times_native"] = found["wasm_cpu_seconds"] / found["native_cpu_seconds"]
        Handler.sent = 0
        page.page.reload()
        page.wait()
        found["second_visit_bytes"] = Handler.sent
        server.shutdown()
        page.page.reload()
        page.wait()
        page.give(EXAMPLES / "content.png", EXAMPLES / "style.png")
        page.paint(256)
        found["offline"] = True
        browser.close()
    write(args.out, found)


if __name__ == "__main__":
    main()
