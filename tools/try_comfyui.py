"""Run the example workflows of `comfyui/` in a ComfyUI that is running, and compare their pictures with the command's.

python main.py --cpu --port 8190                        # ComfyUI, with a link custom_nodes/impasto -> comfyui/
python tools/try_comfyui.py http://127.0.0.1:8190 INPUT_FOLDER_OF_COMFYUI
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / "comfyui" / "example_workflows"
#: Workflow -> the job whose pixels it has.
JOBS: Mapping[str, Mapping[str, Any]] = {
    "instant": {"job": "stylize", "content": "content.png", "style_name": "waves", "quality": "instant", "size": 512},
    "painting": {
        "job": "stylize", "content": "content.png", "style": "style.png", "model": "any", "quality": "instant",
        "strength": 0.8, "size": 768,
    },
    "optimize": {"job": "stylize", "content": "content.png", "style": "style.png", "encoder": "lite", "size": "256",
                 "steps": "20", "style_loss": "moments"},
    "texture": {"job": "texture", "sample": "style.png", "method": "quilting", "size": "384x256", "tileable": True},
}  # fmt: skip


def prompt_of(workflow: Mapping[str, Any], widgets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What a page sends to ComfyUI for a saved workflow.

    Args:
        workflow: as pages save it.
        widgets: type of a node -> names of its inputs with a widget, in order.
    """
    origins = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    found = {}
    for node in workflow["nodes"]:
        values = dict(zip(widgets[node["type"]], node.get("widgets_values", ()), strict=False))
        linked = {i["name"]: origins[i["link"]] for i in node.get("inputs", ()) if i.get("link") is not None}
        found[str(node["id"])] = {"class_type": node["type"], "inputs": values | linked}
    return found


def _asked(url: str, data: Any = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
        return json.loads(answer.read())


def _widgets(server: str) -> dict[str, list[str]]:
    sockets = {"IMAGE", "MASK", "IMPASTO_MODEL", "IMPASTO_OPTIONS"}
    found = {}
    for name, node in _asked(f"{server}/object_info").items():
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        found[name] = [n for n, about in inputs.items() if str(about[0]) not in sockets]
    return found


def ran(server: str, prompt: Mapping[str, Any]) -> tuple[Image.Image, float]:
    """The picture of a workflow, and the seconds that it took."""
    began, number = time.perf_counter(), _asked(f"{server}/prompt", {"prompt": prompt})["prompt_id"]
    while not (history := _asked(f"{server}/history/{number}")):
        time.sleep(0.2)
    outputs = [i for o in history[number]["outputs"].values() for i in o.get("images", ())]
    if not outputs:
        raise SystemExit(json.dumps(history[number]["status"], indent=1))
    place = f"{server}/view?filename={outputs[0]['filename']}&subfolder={outputs[0]['subfolder']}"
    with urllib.request.urlopen(place) as answer:
        return Image.open(io.BytesIO(answer.read())).convert("RGB"), time.perf_counter() - began


def main() -> None:
    """Run all workflows."""
    import impasto

    server, inputs = sys.argv[1], Path(sys.argv[2])
    for name in ("content.png", "style.png"):
        shutil.copy(ROOT / "examples" / name, inputs / name)
    widgets = _widgets(server)
    for path in sorted(WORKFLOWS.glob("*.json")):
        job = dict(JOBS[path.stem])
        files = {n: str(inputs / v) for n, v in job.items() if str(v).endswith(".png")}
        result = impasto.run(impasto.job_of({**job, **files}), lambda record: None)
        made, seconds = ran(server, prompt_of(json.loads(path.read_text()), widgets))
        levels = (255 * result.pixels[0].movedim(0, -1)).byte().int().numpy()  # SaveImage rounds down
        difference = np.abs(np.asarray(made).astype(int) - levels).max()
        print(f"{path.stem}: {made.width}x{made.height}, {seconds:.1f} s, largest difference {difference} of 255")


if __name__ == "__main__":
    main()
