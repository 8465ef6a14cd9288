import numpy as np

from tradeoffs.pictures.plates import least_hiding

SIZE = (200, 100)  # width, height


def place(boxes: list[list[float]], plate: tuple[float, float] = (40, 14)) -> list[list[float]]:
    own = np.array(boxes, dtype=float)
    return least_hiding(own, np.array([plate] * len(own), dtype=float), own, SIZE).tolist()


def hidden(plate: list[float], box: list[float]) -> float:
    width = min(plate[2], box[2]) - max(plate[0], box[0])
    height = min(plate[3], box[3]) - max(plate[1], box[1])
    return max(0.0, width) * max(0.0, height)


def test_a_lone_plate_stands_above_its_box():
    assert place([[50, 40, 150, 90]]) == [[50, 26, 90, 40]]


def test_at_the_borders_it_stays_inside_and_hides_nothing():
    for box in ([0, 0, 60, 40], [150, 0, 200, 40], [0, 60, 60, 100], [195, 40, 199, 90]):
        (plate,) = place([box])
        assert plate[0] >= 0 and plate[1] >= 0 and plate[2] <= SIZE[0] and plate[3] <= SIZE[1]
        assert hidden(plate, box) == 0


def test_it_evades_other_boxes_and_other_plates():
    boxes = [[60, 30, 110, 60], [55, 5, 115, 29], [60, 62, 110, 90]]
    plates = place(boxes)
    assert all(hidden(plate, box) == 0 for plate in plates for box in boxes)
    assert all(hidden(plates[i], plates[j]) == 0 for i in range(3) for j in range(i))


def test_a_box_as_large_as_the_image_has_it_inside():
    (plate,) = place([[0, 0, *SIZE]])
    assert plate == [0, 0, 40, 14]


def test_a_small_object_is_not_hidden_for_a_large_one():
    """Above the box there is a small one; what is below it belongs to a large one."""
    boxes = [[80, 40, 90, 60], [80, 30, 86, 36], [0, 61, 200, 100], [91, 0, 200, 60], [0, 0, 79, 60]]
    plate = place(boxes, plate=(20, 14))[0]
    assert hidden(plate, boxes[1]) == 0


def test_nothing_to_place():
    assert least_hiding(np.zeros((0, 4)), np.zeros((0, 2)), np.zeros((3, 4)), SIZE).shape == (0, 4)
