"""Jobs of the page: pixels, what is told, Stop, the queue, and what the next server finds."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from impasto.media import read_metadata

Pair = tuple[Path, Path]
OPTIONS = "--size 48 --encoder lite --scales 1 --precision fp32 --threads 1 --device cpu"


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def result(page: Any, job: str) -> bytes:
    answer = page.client.get(f"/api/jobs/{job}/result.png")
    assert answer.status_code == 200, answer.text
    data: bytes = answer.content
    return data


def test_pixels_and_settings_are_the_commands(page: Any, pair: Pair, ok: Callable[..., Any], tmp_path: Path) -> None:
    job = page.paint(page.pair(pair, steps=3, style_weight=20))
    assert job["status"] == "done" and job["error"] == ""
    ok("stylize", *pair, "-o", tmp_path / "a.png", *OPTIONS.split(), "--steps", 3, "--style-weight", 20)
    made = result(page, job["id"])
    assert np.array_equal(pixels_of(made), pixels_of((tmp_path / "a.png").read_bytes()))
    ours, theirs = (json.loads(read_metadata(d)["impasto"]) for d in (made, (tmp_path / "a.png").read_bytes()))
    assert ours == theirs  # names and hashes of the pictures, too


def test_one_pass_masks_and_several_styles(
    page: Any, pair: Pair, pictures: dict[str, Path], ok: Any, tmp_path: Path
) -> None:
    left, other = page.picture(pictures["left"]), page.picture(pictures["other"])
    form = {"job": "stylize", "content": page.picture(pair[0]), "style": [page.picture(pair[1]), other], "size": 64,
            "quality": "instant", "blend": [0.3, 0.7], "masks": [[left, 0]], "precision": "fp32"}  # fmt: skip
    job = page.paint(form)
    words = f"--size 64 --quality instant --blend 0.3,0.7 --mask {pictures['left']} 0 --precision fp32 --threads 1"
    ok("stylize", *pair, pictures["other"], "-o", tmp_path / "a.png", *words.split())
    assert np.array_equal(pixels_of(result(page, job["id"])), pixels_of((tmp_path / "a.png").read_bytes()))


def test_other_jobs(page: Any, pictures: dict[str, Path]) -> None:
    style, map_ = page.picture(pictures["style"]), page.picture(pictures["map"])
    quick = {"size": 32, "encoder": "lite", "steps": 2}
    for form in (
        {"job": "texture", "sample": style} | quick,
        {"job": "dream", "image": style, "octaves": 1, "layer": "relu3_1"} | quick,
        {"job": "doodle", "map": map_, "style": style, "style_map": map_, "scales": 1} | quick,
        {"job": "stylize", "content": style, "style_name": ["mosaic"], "quality": "instant", "size": 32},
    ):
        job = page.paint(form)
        assert (job["status"], job["error"]) == ("done", ""), form
        assert pixels_of(result(page, job["id"])).shape[2] == 3


def test_what_happens_is_told(page: Any, pair: Pair) -> None:
    job = page.paint(page.pair(pair, steps=4))
    assert job["steps"] == 4 and len(job["curve"]) == 4 and job["curve"][-1] < job["curve"][0]
    assert (job["size"], job["title"], job["has_result"]) == ([48, 40], "content × style", True)
    (last,) = page.events(job["id"])
    assert last["status"] == "done" and last["curve"] == job["curve"] and last["from"] == 0
    thumbnail = page.client.get(f"/api/jobs/{job['id']}/thumbnail.jpg")
    assert PIL.Image.open(io.BytesIO(thumbnail.content)).size == (48, 40)
    named = page.client.get(f"/api/jobs/{job['id']}/result.png?download").headers["content-disposition"]
    assert named == "attachment; filename*=utf-8''content-style.png"
    assert [j["id"] for j in page.client.get("/api/jobs").json()] == [job["id"]]


def test_previews_come_with_the_first_step_and_stop_keeps_the_picture(page: Any, pair: Pair) -> None:
    job = page.post(page.pair(pair, steps=100_000)).json()["id"]
    page.until(job, lambda found: found["preview"] > 0 and found["left"] is not None)
    preview = page.client.get(f"/api/jobs/{job}/preview.jpg")
    assert PIL.Image.open(io.BytesIO(preview.content)).size == (48, 40)
    page.client.post(f"/api/jobs/{job}/stop")
    ended = page.ended(job)
    assert ended["status"] == "stopped" and 0 < ended["steps"] < 100_000
    assert json.loads(read_metadata(result(page, job))["impasto"])["job"]["steps"] == 100_000
    assert page.client.get(f"/api/jobs/{job}/preview.jpg").status_code == 404


def test_a_stopped_job_goes_on(page: Any, pair: Pair) -> None:
    form = page.pair(pair, steps=30)
    whole = page.paint(form)
    job = page.post(form).json()["id"]
    page.until(job, lambda found: found["steps"] > 1)
    page.client.post(f"/api/jobs/{job}/stop")
    assert page.ended(job)["can_go_on"]
    assert page.client.post(f"/api/jobs/{job}/go-on").status_code == 200
    ended = page.ended(job)
    assert ended["status"] == "done" and ended["curve"] == whole["curve"] and not ended["can_go_on"]
    assert np.array_equal(pixels_of(result(page, job)), pixels_of(result(page, whole["id"])))
    assert "was not stopped" in page.client.post(f"/api/jobs/{job}/go-on").json()["error"]


def test_the_queue_has_places_and_an_end(open_studio: Callable[..., Any], pair: Pair) -> None:
    page = open_studio(queue=3)
    endless = page.pair(pair, steps=100_000)
    first = page.post(endless).json()["id"]
    page.until(first, lambda found: found["status"] == "painting")
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(page.post(endless))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting = [a.json() for a in answers if a.status_code == 201]
    refused = [a for a in answers if a.status_code == 503]
    assert len(waiting) == 3 and len(refused) == 17
    assert refused[0].json() == {"error": "3 jobs wait already: try again when one is done"}
    jobs = page.client.get("/api/jobs").json()
    assert sorted(j["place"] for j in jobs) == [0, 1, 2, 3]
    second = next(j["id"] for j in jobs if j["place"] == 1)
    assert page.client.post(f"/api/jobs/{second}/stop").json()["status"] == "stopped"
    for job in jobs:
        assert page.client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert page.client.get("/api/jobs").json() == []
    assert not list(page.queue.store.jobs.iterdir())


def test_a_server_that_ended_leaves_its_jobs_to_the_next(open_studio: Callable[..., Any], pair: Pair) -> None:
    page = open_studio()
    form = page.pair(pair, steps=12)
    whole = result(page, page.paint(form)["id"])
    jobs = [page.post(form).json()["id"] for _ in range(2)]
    page.until(jobs[0], lambda found: found["steps"] > 2)
    page.queue.close()
    assert [page.queue.tickets[j].status for j in jobs] == ["waiting", "waiting"]
    again = open_studio()
    for job in jobs:
        assert again.ended(job)["status"] == "done"
        assert np.array_equal(pixels_of(result(again, job)), pixels_of(whole))


def test_what_a_killed_server_left_is_cleared(open_studio: Callable[..., Any], pair: Pair) -> None:
    page = open_studio()
    job = page.paint(page.pair(pair, steps=1))["id"]
    page.drop(pair[1].with_name("coffee.png"), pair[1].read_bytes())
    page.queue.close()
    store, kept = page.queue.store, page.queue.tickets[job].kept()
    store.save(job, kept | {"status": "painting"})  # as it was when the server was killed
    draft = store.draft("half.png")
    draft.write_bytes(b"half")
    (store.job_folder(job) / ".impasto-0123.png").write_bytes(b"half")
    (store.jobs / "0123").mkdir()
    again = open_studio()
    assert again.ended(job)["status"] == "done"
    assert len(list(store.files.iterdir())) == len(list(store.views.iterdir())) == 2
    assert [f.name for f in store.jobs.iterdir()] == [job]
    assert {f.name for f in store.job_folder(job).iterdir()} == {"ticket.json", "result.png", "thumbnail.jpg"}


def test_a_job_that_kills_its_server_is_not_painted_for_ever(open_studio: Callable[..., Any], pair: Pair) -> None:
    page = open_studio()
    job = page.paint(page.pair(pair, steps=1))["id"]
    page.queue.close()
    kept = page.queue.tickets[job].kept()
    page.queue.store.save(job, kept | {"status": "painting", "tries": 2})
    again = open_studio().client.get(f"/api/jobs/{job}").json()
    assert again["status"] == "failed" and "killed each time" in again["error"]


def test_the_oldest_results_make_room(open_studio: Callable[..., Any], pair: Pair) -> None:
    page = open_studio()
    form = page.pair(pair, steps=1)
    first, second = (page.paint(form)["id"] for _ in range(2))
    object.__setattr__(page.queue.settings, "disk", page.queue.store.size() - 1)
    page.queue.make_room()
    assert [j["id"] for j in page.client.get("/api/jobs").json()] == [second]
    assert page.client.get(f"/api/jobs/{first}").status_code == 404


def test_settings_come_back_from_a_result(page: Any, pair: Pair, pictures: dict[str, Path]) -> None:
    form = page.pair(pair, steps=1, content_weight=0.5, masks=[[page.picture(pictures["left"]), 0]])
    made = result(page, page.paint(form)["id"])
    back = page.client.post("/api/settings", content=made).json()
    assert back["lost"] == []
    found = back["form"]
    assert found["content"]["file"] == form["content"]["file"] and found["content"]["name"] == "content.png"
    assert found["content_weight"] == 0.5 and found["masks"][0][1] == 0
    assert not {"rate", "style_weight", "history", "optimizer", "color"} & set(found)  # what is usual is not asked for
    again = page.paint({k: v for k, v in found.items() if v != []})
    assert np.array_equal(pixels_of(result(page, again["id"])), pixels_of(made))
    for job in page.client.get("/api/jobs").json():
        page.client.delete(f"/api/jobs/{job['id']}")
    page.queue.store.remove_picture(form["content"]["file"])
    assert page.client.post("/api/settings", content=made).json()["lost"] == ["content"]
