import torch

from tradeoffs.pictures import BLACK, PALETTE, WHITE, contact_sheet, draw_boxes, line_width

GREY = 90
NO_SCORES = torch.zeros(0)


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


def test_the_name_stands_above_its_box_or_within_where_there_is_no_room():
    def letters(top: float) -> torch.Tensor:
        box = torch.tensor([[50.0, top, 150.0, 90.0]])
        return has_colour(draw_boxes(grey(100, 200), box, ["cat"], classes=[0]), BLACK)

    above, within = letters(40), letters(2)
    assert above[:40].any() and not above[41:].any()
    assert within[2:30].any()


def test_names_at_the_right_border_stay_inside():
    box = torch.tensor([[195.0, 40.0, 199.0, 90.0]])
    drawn = draw_boxes(grey(100, 200), box, ["a long name"], classes=[0])
    assert has_colour(drawn, PALETTE[0])[25:39].sum(1).max() > 60


def test_a_name_has_the_same_colour_everywhere():
    box = torch.tensor([[50.0, 40.0, 150.0, 90.0]])
    first, second = (draw_boxes(grey(100, 200), box, ["cat"])[:, 90, 100] for _ in range(2))
    assert torch.equal(first, second)
    assert tuple(first.tolist()) in PALETTE


def test_truth_is_dashed():
    drawn = draw_boxes(
        grey(100, 200), torch.zeros(0, 4), [], NO_SCORES, truth=torch.tensor([[50.0, 40.0, 150.0, 90.0]])
    )
    dashes, gaps = has_colour(drawn, WHITE)[40, 50:151], has_colour(drawn, BLACK)[40, 50:151]
    assert (dashes | gaps).all()
    assert 0.3 < dashes.float().mean() < 0.7


def test_nothing_to_draw_leaves_the_image():
    assert torch.equal(draw_boxes(grey(8, 8), torch.zeros(0, 4), [], NO_SCORES), grey(8, 8))


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


def test_lines_grow_with_the_image():
    assert [line_width(size) for size in [(100, 100), (640, 480), (1600, 900)]] == [2, 4, 10]


def test_contact_sheet_centres_images_in_cells_of_the_largest():
    images = [torch.full((3, 2, 4), 1, dtype=torch.uint8), torch.full((3, 4, 2), 2, dtype=torch.uint8)]
    sheet = contact_sheet([*images, images[0]], columns=2, gap=1)
    assert sheet.shape == (3, 2 * 5 + 1, 2 * 5 + 1)
    assert (sheet[:, 2:4, 1:5] == 1).all()
    assert (sheet[:, 1:5, 7:9] == 2).all()
    assert (sheet[:, 7:9, 1:5] == 1).all()
    assert (sheet == 255).sum() == 3 * (121 - 3 * 8)


def test_a_sheet_is_no_wider_than_its_images():
    assert contact_sheet([grey(4, 4)], columns=4, gap=1).shape == (3, 6, 6)


def test_a_caption_stands_below_the_sheet():
    tile = torch.zeros(3, 40, 600, dtype=torch.uint8)
    plain, captioned = contact_sheet([tile]), contact_sheet([tile], caption="dashed: truth")
    assert torch.equal(captioned[:, : plain.shape[1]], plain)
    below = captioned[:, plain.shape[1] :]
    assert below.shape[1] > 20 and (below == 0).any() and (below[:, :, 400:] == 255).all()
