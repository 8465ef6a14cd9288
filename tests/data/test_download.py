import hashlib
import http.server
import io
import re
import tarfile
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from tradeoffs.data import archives, download
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.download import fetch
from tradeoffs.errors import UserError

PAYLOAD = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(PAYLOAD).hexdigest()
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


class Server:
    """Serves `files` on 127.0.0.1; `breaks` says after how many bytes the next answers are cut off."""

    def __init__(self, files, ranges=True):
        self.files, self.ranges = files, ranges
        self.breaks: list[int] = []
        self.asked: list[str | None] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answer(self, request):
        self.asked.append(request.headers["Range"])
        data = self.files.get(request.path)
        if data is None:
            return request.send_error(404)
        start = int(re.search(r"\d+", request.headers["Range"])[0]) if self.ranges and request.headers["Range"] else 0
        if start >= len(data):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(data)}")
            return request.end_headers()
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        end = self.breaks.pop(0) if self.breaks else len(data)
        return request.wfile.write(data[start : start + end])


@pytest.fixture
def serve():
    servers = []

    def start(files, **options):
        servers.append(Server(files, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


@pytest.mark.parametrize("checksum", [MD5, SHA256, MD5.upper(), None])
def test_a_file_comes_whole(serve, tmp_path, checksum):
    server = serve({"/file": PAYLOAD})
    target = fetch(f"{server.address}/file", tmp_path / "new" / "file", checksum, len(PAYLOAD))
    assert target.read_bytes() == PAYLOAD
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    fetch(f"{server.address}/file", target, checksum)
    assert server.asked == [None]


def test_a_broken_transfer_goes_on_where_it_was(serve, tmp_path):
    server = serve({"/file": PAYLOAD})
    server.breaks = [100_000, 50_000]
    assert fetch(f"{server.address}/file", tmp_path / "file", MD5).read_bytes() == PAYLOAD
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(serve, tmp_path):
    server = serve({"/file": PAYLOAD})
    server.breaks = [100_000, 0]
    with pytest.raises(UserError, match=r"0\.1 MB have come.*closed early.*run the command again"):
        fetch(f"{server.address}/file", tmp_path / "file", MD5)
    assert (tmp_path / "file.part").stat().st_size == 100_000 and not (tmp_path / "file").exists()
    assert fetch(f"{server.address}/file", tmp_path / "file", MD5).read_bytes() == PAYLOAD
    assert server.asked[-1] == "bytes=100000-"


def test_a_server_without_ranges_begins_anew(serve, tmp_path):
    server = serve({"/file": PAYLOAD}, ranges=False)
    server.breaks = [100_000]
    assert fetch(f"{server.address}/file", tmp_path / "file", MD5).read_bytes() == PAYLOAD
    assert server.asked == [None, "bytes=100000-"]


def test_a_part_that_is_whole_already_is_taken(serve, tmp_path):
    server = serve({"/file": PAYLOAD})
    (tmp_path / "file.part").write_bytes(PAYLOAD)
    assert fetch(f"{server.address}/file", tmp_path / "file", MD5).read_bytes() == PAYLOAD


@pytest.mark.parametrize(("checksum", "size", "what"), [("0" * 32, None, "checksum"), (None, 7, "300000 bytes")])
def test_a_damaged_file_is_deleted(serve, tmp_path, checksum, size, what):
    server = serve({"/file": PAYLOAD})
    with pytest.raises(UserError, match=f"damaged, .*{what}"):
        fetch(f"{server.address}/file", tmp_path / "file", checksum, size)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there(serve, tmp_path):
    server = serve({})
    with pytest.raises(UserError, match="the server answers 404 Not Found"):
        fetch(f"{server.address}/file", tmp_path / "file")


def test_without_network_the_error_says_what_to_put_where(serve, tmp_path):
    server = serve({})
    server.http.server_close()
    with pytest.raises(UserError) as caught:
        fetch(f"{server.address}/file", tmp_path / "file")
    message = str(caught.value)
    assert f"{server.address}/file: " in message and f"put the file at {tmp_path / 'file'}" in message
    assert "\n" not in message


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(serve, tmp_path, monkeypatch):
    server = serve({"/file": PAYLOAD})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: download.shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(UserError, match="make room"):
        fetch(f"{server.address}/file", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, "JPEG")
    return buffer.getvalue()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def with_checksum(archive, data):
    return archive._replace(md5=hashlib.md5(data).hexdigest())


@pytest.fixture
def coco_host(serve, monkeypatch):
    annotations = zipped({"annotations/instances_val2017.json": b"{}"})
    images = zipped({"val2017/1.jpg": jpeg()})
    monkeypatch.setattr(archives, "COCO_ANNOTATIONS", with_checksum(archives.COCO_ANNOTATIONS, annotations))
    monkeypatch.setitem(archives.COCO, "val", with_checksum(archives.COCO["val"], images))
    return serve({"/annotations/annotations_trainval2017.zip": annotations, "/zips/val2017.zip": images})


def test_coco_is_fetched_and_unpacked_once(coco_host, tmp_path):
    for _ in range(2):
        splits = archives.ensure_coco(tmp_path, splits=("val",), host=coco_host.address)
    assert splits["val"] == (tmp_path / "val2017", tmp_path / "annotations" / "instances_val2017.json")
    assert (tmp_path / "val2017" / "1.jpg").read_bytes() == jpeg()
    assert len(coco_host.asked) == 2


def test_unpacking_that_was_broken_off_is_done_again(coco_host, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(zipfile.ZipFile, "extract", lambda *_: (tmp_path / "annotations").mkdir() or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            archives.ensure_coco(tmp_path, splits=("val",), host=coco_host.address)
    archives.ensure_coco(tmp_path, splits=("val",), host=coco_host.address)
    assert (tmp_path / "annotations" / "instances_val2017.json").exists()
    assert not list(tmp_path.glob("*.unpacking"))


def test_all_archives_that_lack_are_named_with_their_address(tmp_path):
    (tmp_path / "annotations").mkdir()
    host = "http://127.0.0.1:1"
    with pytest.raises(UserError, match=r"cannot fetch .*val2017\.zip: .*refused") as caught:
        archives.ensure_coco(tmp_path, splits=("val",), host=host)
    assert caught.value.details == (
        f"missing: {tmp_path / 'train2017.zip'} from {host}/zips/train2017.zip (for training only)",
        f"missing: {tmp_path / 'val2017.zip'} from {host}/zips/val2017.zip",
    )
    with pytest.raises(UserError, match=r"cannot fetch .*VOCtrainval_06-Nov-2007\.tar") as caught:
        archives.ensure_voc(tmp_path, host=host)
    assert [line.split("/")[-1] for line in caught.value.details] == [archive.name for archive in archives.VOC]


def test_coco_that_is_there_needs_no_network(tmp_path):
    for name in ("annotations", "train2017", "val2017"):
        (tmp_path / name).mkdir()
    assert set(archives.ensure_coco(tmp_path, host="http://127.0.0.1:1")) == {"train", "val"}


def test_voc_is_fetched_and_converted(serve, tmp_path, monkeypatch):
    def devkit(year, name, stem):
        box = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
        root = f"VOCdevkit/{year}"
        return tarred(
            {
                f"{root}/JPEGImages/{stem}.jpg": jpeg(),
                f"{root}/Annotations/{stem}.xml": (
                    f"<annotation><object><name>dog</name><bndbox>{box}</bndbox></object></annotation>".encode()
                ),
                f"{root}/ImageSets/Main/{name}.txt": stem.encode(),
            }
        )

    data = [devkit("VOC2007", "trainval", "01"), devkit("VOC2007", "test", "02"), devkit("VOC2012", "trainval", "01")]
    monkeypatch.setattr(archives, "VOC", tuple(map(with_checksum, archives.VOC, data)))
    server = serve({f"/{archive.path}": content for archive, content in zip(archives.VOC, data, strict=True)})
    for _ in range(2):
        splits = archives.ensure_voc(tmp_path, host=server.address)
    train, val = CocoDataset(*splits["train"]), CocoDataset(*splits["val"])
    assert list(train.file_names) == ["VOC2007/JPEGImages/01.jpg", "VOC2012/JPEGImages/01.jpg"]
    assert list(val.file_names) == ["VOC2007/JPEGImages/02.jpg"]
    assert val.read_image(0).shape == (3, 6, 8) and val.objects(0).boxes.tolist() == [[0, 0, 4, 4]]
    assert len(server.asked) == 3
    early = archives.ensure_voc(tmp_path, host=server.address, years=(2007,))
    assert list(CocoDataset(*early["train"]).file_names) == ["VOC2007/JPEGImages/01.jpg"]
    assert early["val"] != splits["val"] and list(CocoDataset(*early["val"]).file_names) == list(val.file_names)


@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "a/../../outside.txt", "..\\outside.txt"])
@pytest.mark.parametrize(("pack", "suffix"), [(zipped, "zip"), (tarred, "tar")])
def test_archives_cannot_write_outside_their_folder(tmp_path, pack, suffix, name):
    archive, folder = tmp_path / f"archive.{suffix}", tmp_path / "folder"
    archive.write_bytes(pack({"inside.txt": b"1", name: b"2"}))
    with pytest.raises(UserError, match="outside its folder; nothing was unpacked"):
        archives.unpack(archive, folder)
    assert not folder.exists() and not (tmp_path / "outside.txt").exists()


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_broken_archives_are_named(tmp_path, suffix):
    archive = tmp_path / f"archive.{suffix}"
    archive.write_bytes(PAYLOAD)
    with pytest.raises(UserError, match=rf"cannot unpack .*archive\.{suffix}"):
        archives.unpack(archive, tmp_path)


def test_tiny_imagenet_is_fetched_unless_it_is_there(serve, tmp_path, monkeypatch):
    data = zipped({"tiny-imagenet-200/wnids.txt": b"n01440764\n"})
    monkeypatch.setattr(archives, "TINY_IMAGENET", with_checksum(archives.TINY_IMAGENET, data))
    server = serve({"/tiny-imagenet-200.zip": data})
    for _ in range(2):
        folder = archives.ensure_tiny_imagenet(tmp_path, host=server.address)
    assert folder == tmp_path / "tiny-imagenet-200" and (folder / "wnids.txt").is_file()
    assert archives.ensure_tiny_imagenet(folder, host="http://127.0.0.1:1") == folder
    assert len(server.asked) == 1
    with pytest.raises(UserError, match=r"cannot fetch .*/tiny-imagenet-200\.zip: .*refused"):
        archives.ensure_tiny_imagenet(tmp_path / "new", host="http://127.0.0.1:1")
