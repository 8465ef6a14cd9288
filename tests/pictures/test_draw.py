import pytest
import torch
from torch.nn.functional import avg_pool2d

from tradeoffs.pictures import draw_boxes
from tradeoffs.pictures.style import BLACK, PALETTE, WHITE, letter_size, line_width

GREY = 90
NO_BOXES, NO_SCORES = torch.zeros(0, 4), torch.zeros(0)


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((3, height, width), GREY, dtype=torch.uint8)


def has_colour(image: torch.Tensor, colour: tuple[int, int, int]) -> torch.Tensor:
    """H W: where the image is of this colour."""
    return (image == torch.tensor(colour, dtype=torch.uint8)[:, None, None]).all(0)


def test_a_box_is_drawn_where_it_is_and_nothing_within():
    image = grey(100, 200)
    drawn = draw_boxes(image, torch.tensor([[50.0, 40.0, 150.0, 90.0]]), ["cat"], torch.tensor([0.9]), classes=[1])
    outline = has_colour(drawn, PALETTE[1])
    assert outline[90, 50:151].all() and outline[40:91, 50].all() and outline[40:91, 150].all()
    assert (drawn[:, 55:85, 60:140] == GREY).all()
    assert (image == GREY).all()  # the image given is left alone


def test_the_name_stands_above_its_box_or_below_where_there_is_no_room():
    def letters(top: float) -> torch.Tensor:
        box = torch.tensor([[50.0, top, 150.0, 70.0]])
        return has_colour(draw_boxes(grey(100, 200), box, ["cat"], classes=[4]), WHITE)[:, 55:145]

    above, below = letters(40), letters(2)
    assert above[:38].any() and not above[75:].any()
    assert below[75:].any() and not below[5:65].any()


def test_a_box_shows_on_a_ground_of_its_own_colour():
    box, colour = torch.tensor([[50.0, 40.0, 150.0, 90.0]]), torch.tensor(PALETTE[3], dtype=torch.uint8)
    drawn = draw_boxes(colour[:, None, None].expand(3, 100, 200), box, ["cat"], classes=[3])
    assert has_colour(drawn, BLACK)[91, 50:151].all() and has_colour(drawn, PALETTE[3])[90, 50:151].all()


def test_small_objects_stay_visible():
    drawn = draw_boxes(grey(2000, 2000), torch.tensor([[100.0, 100.0, 112.0, 112.0]]), ["cat"], classes=[0])
    assert (drawn[:, 104:109, 104:109] == GREY).all()


def test_names_at_the_right_border_stay_inside():
    box = torch.tensor([[195.0, 40.0, 199.0, 90.0]])
    drawn = draw_boxes(grey(100, 200), box, ["a long name"], classes=[0])
    assert has_colour(drawn, PALETTE[0])[25:39].sum(1).max() > 60


def test_a_name_has_the_same_colour_everywhere():
    box = torch.tensor([[50.0, 40.0, 150.0, 90.0]])
    first, second = (draw_boxes(grey(100, 200), box, ["cat"])[:, 90, 100] for _ in range(2))
    assert torch.equal(first, second)
    assert tuple(first.tolist()) in PALETTE


@pytest.mark.parametrize(("names", "colour", "other"), [([], WHITE, BLACK), (["cat"], PALETTE[1], BLACK)])
def test_truth_is_dashed_in_the_colour_of_its_class(names, colour, other):
    truth = torch.tensor([[50.0, 40.0, 150.0, 90.0]])
    drawn = draw_boxes(grey(100, 200), NO_BOXES, [], NO_SCORES, truth=truth, truth_labels=names, truth_classes=[1])
    dashes, gaps = has_colour(drawn, colour)[90, 50:151], has_colour(drawn, other)[90, 50:151]
    assert (dashes | gaps).all()
    assert 0.3 < dashes.float().mean() < 0.7


@pytest.mark.parametrize(("label", "moved", "named"), [("cat", 2.0, False), ("dog", 2.0, True), ("cat", 60.0, True)])
def test_truth_has_a_name_where_nothing_of_that_name_was_found(label, moved, named):
    truth = torch.tensor([[20.0, 40.0, 100.0, 90.0]])
    found = truth + torch.tensor([moved, 0, moved, 0])
    own = {"truth": truth, "truth_labels": ["cat"], "truth_classes": [2]}
    drawn = draw_boxes(grey(120, 200), found, [label], torch.tensor([0.9]), classes=[1], **own)
    filled = avg_pool2d(has_colour(drawn, PALETTE[2])[None].float(), 4, stride=1)  # plates are, dashes are thinner
    assert (filled == 1).any() == named


def test_nothing_to_draw_leaves_the_image():
    assert torch.equal(draw_boxes(grey(8, 8), NO_BOXES, [], NO_SCORES), grey(8, 8))


def test_enlarging_scales_boxes_too():
    drawn = draw_boxes(grey(20, 40), torch.tensor([[10.0, 8.0, 30.0, 18.0]]), ["x"], scale=5.0, classes=[2])
    assert drawn.shape == (3, 100, 200)
    assert has_colour(drawn, PALETTE[2])[90, 50:151].all()


def test_boxes_inside_out_are_survived():
    draw_boxes(grey(50, 50), torch.tensor([[30.0, 30.0, 10.0, 10.0]]), ["x"], torch.tensor([0.5]))


def test_the_surer_box_is_drawn_last():
    boxes = torch.tensor([[10.0, 10.0, 90.0, 90.0]] * 2)
    drawn = draw_boxes(grey(100, 100), boxes, ["a", "b"], torch.tensor([0.9, 0.5]), classes=[0, 1])
    assert tuple(drawn[:, 90, 50].tolist()) == PALETTE[0]


def test_lines_and_letters_grow_with_the_image():
    sizes = [(100, 100), (640, 480), (3000, 4000)]
    assert [line_width(size) for size in sizes] == [2, 3, 16]
    assert [letter_size(size) for size in sizes] == [12, 12, 62]


def test_a_name_wider_than_the_image_keeps_its_score():
    box, score = torch.tensor([[5.0, 30.0, 40.0, 60.0]]), torch.tensor([0.97])
    long = draw_boxes(grey(64, 64), box, ["a very long name of a class"], score, classes=[0])
    assert has_colour(long, PALETTE[0])[20].sum() <= 64 and has_colour(long, BLACK)[14:28, 40:].any()
