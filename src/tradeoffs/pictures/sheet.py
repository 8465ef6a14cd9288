"""Many images on one sheet, with a line below; and images into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from tradeoffs.pictures.style import BLACK, WHITE, font_of

LETTERS = 20  # pixels


def contact_sheet(
    images: Sequence[UInt8[Tensor, "3 _h _w"]], columns: int = 4, gap: int = 8, caption: str = ""
) -> UInt8[Tensor, "3 H W"]:
    """Images in rows of `columns`, each centred in a cell as large as the largest, on white; the caption below."""
    height = max(image.shape[1] for image in images)
    width = max(image.shape[2] for image in images)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = torch.full((3, rows * (height + gap) + gap, columns * (width + gap) + gap), 255, dtype=torch.uint8)
    for i, image in enumerate(images):
        _, h, w = image.shape
        top = gap + (i // columns) * (height + gap) + (height - h) // 2
        left = gap + (i % columns) * (width + gap) + (width - w) // 2
        sheet[:, top : top + h, left : left + w] = image
    return torch.cat([sheet, _line_of_text(caption, sheet.shape[2], gap)], dim=1) if caption else sheet


def _line_of_text(text: str, width: int, margin: int) -> UInt8[Tensor, "3 _h _w"]:
    """In smaller letters where the sheet is too narrow."""
    room = (width - 2 * margin) / font_of(LETTERS).getlength(text)
    font = font_of(max(8, int(LETTERS * min(1, room))))
    line = Image.new("RGB", (width, LETTERS + 2 * margin), WHITE)
    ImageDraw.Draw(line).text((margin, line.height / 2), text, font=font, fill=BLACK, anchor="lm")
    return torch.from_numpy(np.array(line)).permute(2, 0, 1).contiguous()


def save_picture(image: UInt8[Tensor, "3 H W"], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(path, quality=90)
