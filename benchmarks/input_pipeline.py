"""Images a second, on one core, from JPEG files to an augmented and normalized batch: ours and torchvision's, in turns.

    python benchmarks/input_pipeline.py [IMAGES ANNOTATIONS]

Both decode, distort colours, zoom out, crop, mirror and resize to 300 x 300 with the parameters of SSD, and both end in
a float batch. Theirs are the transforms of torchvision's reference training script, followed by what its SSD does to
images first; they work on PIL images (that script's default) or on tensors. Without arguments, photos of COCO are used
where tests find them, else the embedded shapes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from table import print_table
from torch import Tensor
from torchvision import tv_tensors
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms import v2

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.photometric import photometric_distort
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Samples, collate
from tradeoffs.data.shapes import make_shapes
from tradeoffs.measure.timer import ratio, time_in_turns

SIZE = 300
BATCH = 16
GOAL = 2.0  # times as fast
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Ours:
    """Each call is the next batch."""

    def __init__(self, dataset: CocoDataset):
        self.samples = Samples(dataset, Resize("warp", SIZE), "ssd")
        self.next = 0
        self.mean = torch.tensor(MEAN)[:, None, None] * 255
        self.std = torch.tensor(STD)[:, None, None] * 255

    def __call__(self) -> Tensor:
        numbers = range(self.next, self.next + BATCH)
        self.next += BATCH
        batch = collate([self.samples[divmod(number, len(self.samples))] for number in numbers])
        images = photometric_distort(batch.images, batch.addresses)
        return images.float().sub_(self.mean).div_(self.std)


class Reference:
    """The preset `ssd` of torchvision's references/detection/presets.py, with transforms v2."""

    def __init__(self, dataset: CocoDataset, as_tensor: bool):
        self.dataset = dataset
        self.next = 0
        fill = defaultdict(lambda: (123.0, 117.0, 104.0), {tv_tensors.Mask: 0})
        distort = [v2.RandomPhotometricDistort(), v2.RandomZoomOut(fill=fill), v2.RandomIoUCrop()]
        to_float = [v2.PILToTensor(), v2.ToDtype(torch.float, scale=True)]
        first = [v2.PILToTensor()] if as_tensor else []
        flip = v2.RandomHorizontalFlip()
        self.transform = v2.Compose([*first, *distort, flip, *to_float, v2.SanitizeBoundingBoxes(), v2.ToPureTensor()])
        self.resize = GeneralizedRCNNTransform(SIZE, SIZE, MEAN, STD, size_divisible=1, fixed_size=(SIZE, SIZE))

    def __call__(self) -> Tensor:
        samples = [self.sample(number % len(self.dataset)) for number in range(self.next, self.next + BATCH)]
        self.next += BATCH
        images, targets = zip(*samples, strict=True)
        return self.resize(list(images), list(targets))[0].tensors

    def sample(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image = Image.open(self.dataset.images_dir / self.dataset.file_names[index]).convert("RGB")
        objects = self.dataset.objects(index)
        boxes = objects.boxes[~objects.crowd]
        boxes = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(image.height, image.width))
        return self.transform(image, {"boxes": boxes, "labels": objects.labels[~objects.crowd]})


def main(repeats: int = 10, images: Path | None = None, annotations: Path | None = None) -> list[dict]:
    """Prints and returns one row for each way to run the reference."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        dataset = open_dataset(images, annotations, Path(scratch))
        contestants: dict[str, Callable[[], Tensor]] = {
            "ours": Ours(dataset),
            "PIL": Reference(dataset, as_tensor=False),
            "tensors": Reference(dataset, as_tensor=True),
        }
        with torch.inference_mode():
            timings = time_in_turns(contestants, repeats, warmup=2, device="cpu")
    speed = {name: 1000 * BATCH / timing.median for name, timing in timings.items()}
    rows = []
    for name in ("PIL", "tensors"):
        faster = ratio(timings[name], timings["ours"])
        numbers = {"ours": speed["ours"], "theirs": speed[name], "unit": "images/s", "goal": GOAL}
        spread = {"ratio": faster.median, "low": faster.low, "high": faster.high}
        rows.append({"name": f"input pipeline, reference on {name}", **numbers, **spread})
    print_table(rows, title=f"{len(dataset)} images of {dataset.images_dir.name}, one thread")
    return rows


def open_dataset(images: Path | None, annotations: Path | None, scratch: Path) -> CocoDataset:
    """The given photos, or COCO's, or shapes; those with objects only, since the reference script drops the others."""
    real = Path(os.environ.get("TRADEOFFS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")) / "coco"
    if not images and real.is_dir():
        images, annotations = real / "train2017", real / "annotations" / "instances_train2017.json"
    elif not images:
        folder = make_shapes(scratch, num_train=64, num_val=0)
        images, annotations = folder / "train", folder / "annotations" / "train.json"
    dataset = CocoDataset(images, annotations)
    rows = zip(dataset.image_ids, (dataset.objects(index).crowd for index in range(len(dataset))), strict=True)
    return CocoDataset(images, annotations, without_images=[number for number, crowd in rows if crowd.all()])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("annotations", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=10, help="batches of each, in turns")
    arguments = parser.parse_args()
    if (arguments.images is None) != (arguments.annotations is None):
        sys.exit("give both the folder of images and the annotation file, or neither")
    main(arguments.repeats, arguments.images, arguments.annotations)
