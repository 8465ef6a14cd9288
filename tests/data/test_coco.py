import io
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from tradeoffs.data.coco import CocoDataset, PackedList
from tradeoffs.errors import UserError

CATEGORIES = [
    {"id": 90, "name": "toothbrush"},
    {"id": 3, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"]},
]
IMAGES = [
    {"id": 7, "file_name": "seven.png", "width": 3, "height": 2},
    {"id": 5, "file_name": "five.png", "width": 30, "height": 20},
    {"id": 6, "file_name": "six.png", "width": 8, "height": 8},
]


def annotation(number, image, category=3, box=(0, 0, 2, 2), **more):
    return {"id": number, "image_id": image, "category_id": category, "bbox": list(box), **more}


@pytest.fixture
def dataset(tmp_path):
    def build(annotations, images=IMAGES, categories=CATEGORIES, **options):
        path = tmp_path / "split.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        return CocoDataset(tmp_path, path, **options)

    return build


def test_labels_count_from_zero_by_ascending_category_id(dataset):
    data = dataset([annotation(1, 7, 90), annotation(2, 7, 3)])
    assert data.category_ids == [3, 90] and data.class_names == ["person", "toothbrush"]
    assert data.objects(0).labels.tolist() == [1, 0]


def test_objects_are_grouped_by_image_in_the_files_order(dataset):
    data = dataset(
        [annotation(1, 5, box=(1, 2, 3, 4)), annotation(2, 7), annotation(3, 5, box=(5, 6, 7, 8), iscrowd=1, area=9.5)]
    )
    assert (data.image_ids, list(data.file_names)) == ([7, 5, 6], ["seven.png", "five.png", "six.png"])
    objects = data.objects(1)
    assert objects.boxes.tolist() == [[1, 2, 4, 6], [5, 6, 12, 14]]
    assert objects.crowd.tolist() == [False, True] and objects.areas.tolist() == [12, 9.5]


def test_an_image_without_objects(dataset):
    data = dataset([annotation(1, 5)])
    assert data.objects(2).boxes.shape == (0, 4) and data.objects(2).labels.shape == (0,)
    assert data.masks(2).shape == (0, 8, 8) and data.keypoints(2).shape == (0, 3, 3)


def test_a_split_without_any_annotation(dataset):
    data = pickle.loads(pickle.dumps(dataset([])))
    assert len(data) == 3 and data.objects(0).boxes.shape == (0, 4) and data.masks(0).shape == (0, 2, 3)


def test_boxes_are_cut_at_the_borders(dataset):
    data = dataset([annotation(1, 5, box=(-4, 15, 10, 10)), annotation(2, 5, box=(25, -1, 10, 3))])
    assert data.objects(1).boxes.tolist() == [[0, 15, 6, 20], [25, 0, 30, 2]]


def test_objects_do_not_share_memory_with_the_dataset(dataset):
    data = dataset([annotation(1, 5, box=(1, 2, 3, 4))])
    data.objects(1).boxes.mul_(2)
    assert data.objects(1).boxes.tolist() == [[1, 2, 4, 6]]


def test_masks_from_polygons_and_runs(dataset):
    """In an image of 2 rows and 3 columns; runs go down the columns, zeros first."""
    compressed = rle.encode(np.asfortranarray(np.array([[1, 0, 0], [0, 0, 1]], dtype=np.uint8)))
    data = dataset(
        [
            annotation(1, 7, segmentation=[[1, 0, 3, 0, 3, 2, 1, 2]]),
            annotation(2, 7, segmentation={"size": [2, 3], "counts": [1, 2, 3]}, iscrowd=1),
            annotation(3, 7, segmentation={"size": [2, 3], "counts": compressed["counts"].decode()}),
            annotation(4, 7, segmentation=[[0, 0, 1, 0, 1, 2, 0, 2], [2, 0, 3, 0, 3, 2, 2, 2], [1, 1, 2, 2]]),
        ]
    )
    assert data.masks(0).dtype == torch.uint8
    assert data.masks(0).tolist() == [
        [[0, 1, 1], [0, 1, 1]],
        [[0, 1, 0], [1, 0, 0]],
        [[1, 0, 0], [0, 0, 1]],
        [[1, 0, 1], [1, 0, 1]],
    ]


def test_masks_of_objects_without_segmentation_are_refused(dataset):
    data = dataset([annotation(1, 7, segmentation=[])])
    with pytest.raises(UserError, match="image 7 has objects without segmentation"):
        data.masks(0)


def test_keypoints_and_their_mirror_partners(dataset):
    data = dataset([annotation(1, 5, keypoints=[1, 2, 2, 3, 4, 1, 0, 0, 0]), annotation(2, 5, 90)])
    assert data.keypoint_names == ["nose", "left_eye", "right_eye"]
    assert data.keypoint_flip_pairs == [(1, 2)]
    assert data.keypoints(1).tolist() == [[[1, 2, 2], [3, 4, 1], [0, 0, 0]], [[0, 0, 0]] * 3]


def test_ground_truth_is_complete_and_without_the_id_zero(dataset):
    data = dataset([annotation(0, 7, box=(0, 0, 2, 1)), annotation(8, 5, area=3, iscrowd=1)])
    annotations = data.ground_truth()["annotations"]
    assert [(a["id"], a["area"], a["iscrowd"]) for a in annotations] == [(1, 2, 0), (2, 3, 1)]


def test_what_is_left_out_is_nowhere(dataset):
    annotations = [annotation(1, 7), annotation(2, 5), annotation(3, 5), annotation(4, 99)]
    data = dataset(annotations, without_images={7}, without_annotations={2, 3})
    assert data.image_ids == [5, 6] and len(data.objects(0).labels) == 1
    truth = data.ground_truth()
    assert [image["id"] for image in truth["images"]] == [5, 6]
    assert [a["id"] for a in truth["annotations"]] == [2]


def test_it_travels_to_workers_as_bytes_and_arrays(dataset):
    polygon = [[1.25, 0, 3, 0, 3, 2, 1.25, 2]]
    data = dataset([annotation(number, 7, segmentation=polygon) for number in range(1, 1001)])
    packed = pickle.dumps(data)
    again = pickle.loads(packed)
    assert again.file_names[1] == "five.png" and torch.equal(again.masks(0), data.masks(0))
    assert len(packed) < 300_000
    assert len(pickle.dumps(dataset([annotation(1, 7, segmentation=polygon * 1000)], with_masks=False))) < 3_000


def test_packed_list_gives_back_what_it_got():
    values = ["a", None, [[1.5, 2]], {"counts": "xyz"}]
    assert list(PackedList(values)) == values and len(PackedList([])) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{\n  broken", "line 2, column 3"),
        ("[1]", "no valid images, annotations, categories"),
        ('{"images": [], "annotations": []}', "no valid categories"),
        ('{"images": [], "annotations": [3], "categories": []}', "no valid annotations"),
        ('{"images": [], "annotations": [], "categories": []}', "has no images"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_files_that_are_no_coco_format(tmp_path, content, message):
    path = tmp_path / "split.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as caught:
        CocoDataset(tmp_path, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_annotation_file(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.json: cannot be read \(No such file"):
        CocoDataset(tmp_path, tmp_path / "nothing.json")


@pytest.mark.parametrize(("image", "category", "what"), [(99, 3, "image_id 99"), (7, 4, "category_id 4")])
def test_unknown_ids_are_named(dataset, image, category, what):
    with pytest.raises(UserError, match=f"unknown {what}"):
        dataset([annotation(1, image, category)])


COLOUR = (200, 100, 50)
GREY = (90, 90, 90)


@pytest.mark.parametrize(
    ("mode", "file_format", "fill", "expected"),
    [
        ("RGB", "PNG", COLOUR, COLOUR),
        ("RGB", "BMP", COLOUR, COLOUR),
        ("RGB", "GIF", COLOUR, COLOUR),
        ("RGB", "JPEG", GREY, GREY),
        ("L", "JPEG", 90, GREY),
        ("I;16", "PNG", 90 * 257, GREY),
        ("RGBA", "PNG", (*COLOUR, 7), COLOUR),
        ("CMYK", "JPEG", (55, 155, 205, 0), COLOUR),
    ],
)
def test_images_of_every_mode_come_as_rgb(dataset, tmp_path, mode, file_format, fill, expected):
    Image.new(mode, (30, 20), fill).save(tmp_path / "five.png", file_format)
    image = dataset([]).read_image(1)
    assert image.dtype == torch.uint8 and image.shape == (3, 20, 30)
    assert (image[:, 0, 0].int() - torch.tensor(expected)).abs().max() <= 1


def test_palette_images_come_as_rgb(dataset, tmp_path):
    Image.new("RGB", (30, 20), COLOUR).quantize(4).save(tmp_path / "five.png")
    assert dataset([]).read_image(1)[:, 0, 0].tolist() == list(COLOUR)


def test_pixels_are_not_rotated_by_exif(dataset, tmp_path):
    rotated = Image.Exif()
    rotated[0x112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "five.png", "JPEG", exif=rotated)
    assert dataset([]).read_image(1).shape == (3, 20, 30)


def whole_image(file_format):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        *((data, "it is truncated or not an image") for data in (whole_image("JPEG")[:700], whole_image("PNG")[:900])),
        (b"text", "it is truncated or not an image"),
        (b"", "it is empty"),
    ],
)
def test_undecodable_files_are_named(dataset, tmp_path, data, why):
    (tmp_path / "five.png").write_bytes(data)
    with pytest.raises(UserError, match=rf"five\.png: {why}"):
        dataset([]).read_image(1)


def test_missing_images_are_named(dataset):
    with pytest.raises(UserError, match=r"there is no image .*five\.png"):
        dataset([]).read_image(1)


@pytest.mark.parametrize("kind", ["instances", "person_keypoints"])
def test_real_coco_as_pycocotools_reads_it(real_data, kind, capsys):
    path = real_data / "coco" / "annotations" / f"{kind}_val2017.json"
    data, reference = CocoDataset(real_data / "coco" / "val2017", path), COCO(path)
    assert data.category_ids == sorted(reference.getCatIds()) and len(data) == 128
    for index, image_id in enumerate(data.image_ids):
        expected = reference.loadAnns(reference.getAnnIds(imgIds=[image_id]))
        objects = data.objects(index)
        assert [data.category_ids[label] for label in objects.labels] == [a["category_id"] for a in expected]
        assert objects.crowd.tolist() == [bool(a["iscrowd"]) for a in expected]
        boxes = np.array([a["bbox"] for a in expected]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        np.testing.assert_allclose(objects.boxes, boxes, atol=1e-4)
        np.testing.assert_array_equal(
            data.masks(index), [reference.annToMask(a) for a in expected] or np.zeros((0, *data.sizes[index]))
        )
        if data.keypoint_names:
            keypoints = np.array([a["keypoints"] for a in expected]).reshape(-1, 17, 3)
            np.testing.assert_array_equal(data.keypoints(index), keypoints)


def test_real_lsp(real_data):
    data = CocoDataset(real_data / "lsp" / "images", real_data / "lsp" / "person_keypoints_test.json")
    assert len(data) == 160 and len(data.keypoint_names) == 14
    assert (2, 3) in data.keypoint_flip_pairs or (3, 2) in data.keypoint_flip_pairs  # hips
    assert data.keypoints(0).shape == (1, 14, 3) and (data.keypoints(0)[..., 2] > 0).all()
    assert data.read_image(0).shape == (3, *data.sizes[0])
