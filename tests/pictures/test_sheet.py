import torch

from tradeoffs.pictures import contact_sheet


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((3, height, width), 90, dtype=torch.uint8)


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


def test_a_caption_fits_a_narrow_sheet():
    sheet = contact_sheet([grey(40, 200)], caption="solid: found, with a score of 0.3 or more; dashed: truth")
    assert (sheet[:, -36:, 150:200] < 128).any() and (sheet[:, -36:, 208:] == 255).all()
