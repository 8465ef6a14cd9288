"""What the converters share: objects of one image, and a split's COCO-format file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tradeoffs.data.annotation_file import write_annotation_file
from tradeoffs.errors import UserError

MOST_NAMED = 5  # boxes without area


@dataclass
class Picture:
    """One image and its objects, each a COCO annotation without ids, with the class's `name`."""

    file_name: str
    width: int
    height: int
    objects: list[dict] = field(default_factory=list)
    without_area: list[str] = field(default_factory=list)  # boxes that were left out


@dataclass
class Summary:
    """What a split came to. `str` is one line."""

    split: str
    images: int
    counts: dict[str, int]  # class name -> objects
    without_area: list[str]

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        line = f"{self.split}: {self.images} images, {sum(self.counts.values())} objects ({classes})"
        if self.without_area:
            first = ", ".join(self.without_area[:MOST_NAMED])
            more = ", ..." if len(self.without_area) > MOST_NAMED else ""
            line += f"; left out {len(self.without_area)} without area: {first}{more}"
        return line


def write_split(
    pictures: list[Picture], class_names: list[str], path: Path, joints: Mapping[str, dict] | None = None
) -> Summary:
    """Writes `path`, the COCO-format file of the split that its name says. Ids count from 1.

    `joints` is what the categories of some classes say of keypoints.
    """
    category = {name: number for number, name in enumerate(class_names, 1)}
    images, annotations = [], []
    counts = dict.fromkeys(class_names, 0)
    for image_id, picture in enumerate(pictures, 1):
        size = {"width": picture.width, "height": picture.height}
        images.append({"id": image_id, "file_name": picture.file_name, **size})
        for thing in picture.objects:
            counts[thing["name"]] += 1
            entry = {key: value for key, value in thing.items() if key != "name"}
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": category[thing["name"]]}
            annotations.append(ids | entry)
    categories = [{"id": number, "name": name, **(joints or {}).get(name, {})} for name, number in category.items()]
    write_annotation_file({"images": images, "annotations": annotations, "categories": categories}, path)
    return Summary(path.stem, len(images), counts, [line for picture in pictures for line in picture.without_area])


def write_splits(pictures: dict[str, list[Picture]], folder: Path) -> list[Summary]:
    """One file per split, with the classes of all of them, by name."""
    everything = (thing for part in pictures.values() for picture in part for thing in picture.objects)
    class_names = sorted({thing["name"] for thing in everything})
    return [write_split(part, class_names, folder / f"{split}.json") for split, part in pictures.items()]


def require_folder(source: Path) -> None:
    if not source.is_dir():
        raise UserError(f"{source} is no folder; give the one that holds the data set to convert")
