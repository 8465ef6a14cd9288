"""Pictures by a run's name and an image's id; nothing else has an address."""

import io
import json

import numpy as np
import pytest
import small_runs
from dashboard_runs import write_run, write_scored
from PIL import Image

from tradeoffs.dashboard.app import build_app
from tradeoffs.dashboard.pictures import picture_address
from tradeoffs.dashboard.store import Store
from tradeoffs.data.sources import existing_split


@pytest.fixture
def data(tmp_path):
    return small_runs.write_data(tmp_path / "data")


@pytest.fixture
def client(runs, data):
    write_scored(runs, "sweep/good", data, shift=1)
    write_run(runs, "without")
    return build_app(Store(runs)).server.test_client()


def test_a_picture_shows_truth_and_detections(client, data):
    answer = client.get(picture_address("sweep/good", 10))
    pixels = np.array(Image.open(io.BytesIO(answer.data)))
    assert answer.mimetype == "image/jpeg" and max(pixels.shape) == 400
    original = np.array(Image.open(data / "val" / "1.png").resize(pixels.shape[1::-1]))
    assert (np.abs(pixels.astype(int) - original).max(axis=2) > 100).mean() > 0.01


def test_boxes_below_a_score_are_left_out(client):
    """All score at most 0.9, and the best F1 needs all."""
    best, all_of_them, none = (client.get(picture_address("sweep/good", 10, score)).data for score in (None, 0.1, 0.95))
    assert best == all_of_them != none
    assert client.get(picture_address("sweep/good", 10) + "&score=high").status_code == 404


@pytest.mark.parametrize(
    ("host", "bound", "own", "status"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", 400),
        ("127.1", "127.0.0.1", "127.0.0.1", 400),
        ("LapTop", "127.0.1.1", "laptop", 400),
        ("0:0:0:0:0:0:0:1", "::1", "[::1]", 400),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "[::ffff:7f00:1]", 400),
        ("0.0.0.0", "0.0.0.0", "192.168.0.1", 200),  # whoever opens it to a network has names of his own for it
    ],
)
def test_a_web_page_cannot_lend_its_name_to_this_machine(runs, host, bound, own, status):
    client = build_app(Store(runs), host, bound).server.test_client()
    answers = [client.get("/", headers={"Host": f"{name}:8050"}).status_code for name in (own, "localhost", "a.page")]
    assert answers == [200, 200, status]


@pytest.mark.parametrize(
    "address",
    [
        "/picture",
        picture_address("sweep/good", 11),
        picture_address("without", 10),
        picture_address("../data", 10),
        picture_address("..", 10),
        picture_address("/etc/passwd", 10),
        picture_address("sweep/good\0", 10),
        "/picture?run=%2e%2e%2fdata&image=10",
        "/picture?run=sweep/good&image=../../data/val/1.png",
        "/picture?run=sweep/good&image=1e1",
    ],
)
def test_anything_else_is_not_found(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2f..%2fapp.py",
        "/assets//etc/passwd",
        "/_dash-component-suites/dash/../../../etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/sweep/good/config.yaml",
        "/runs/sweep/good/result.json",
    ],
)
def test_no_address_gives_a_file_away(client, path):
    text = client.get(path).get_data(as_text=True)
    assert "root:" not in text and "build_app" not in text and "schema_version" not in text


def test_an_annotation_file_cannot_name_images_elsewhere(client, data, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    file = data / "annotations" / "val.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = "../../secret.png"
    file.write_text(json.dumps(content))
    answer = client.get(picture_address("sweep/good", content["images"][0]["id"]))
    assert answer.status_code == 404 and b"outside" in answer.data


def test_data_is_found_but_never_fetched(tmp_path, data):
    kinds = ("shapes", "coco", "voc", "coco_folder", "unknown")
    sources = [{"_target_": f"tradeoffs.data.sources.{kind}", "root": str(tmp_path / "none")} for kind in kinds]
    assert [existing_split(source, "val") for source in sources] == [None] * len(kinds)
    assert list(tmp_path.iterdir()) == [data]
    found = existing_split({"_target_": "tradeoffs.data.sources.coco_folder", "root": str(data)}, "val")
    assert found == (data / "val", data / "annotations" / "val.json")
    assert existing_split({"_target_": "os.system", "root": str(data)}, "val") is None
    assert existing_split({**sources[0], "colour": "red"}, "val") is None
