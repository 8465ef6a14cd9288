"""Small trees of config files for the tests of command lines."""

from pathlib import Path

from tradeoffs.settings.compose import CONF

SWEEPS = {  # what sweeps and searches are made of
    "train.yaml": """\
defaults:
  - task: detection
  - model: ssd
  - backbone: mobilenet
  - _self_
  - experiment: null
  - override hydra/launcher: local
  - override hydra/sweeper: grid
image_size: 300
epochs: 2
seed: 1
resize: warp
data: {name: drawn}
optimizer: {lr: 0.01}
jobs: auto
overwrite: false
stop_hopeless: auto
runs: runs
name: ${run_name:}
""",
    "task/detection.yaml": "name: detection",
    "model/ssd.yaml": "{task: detection, _target_: some.SSD}",
    "model/rfcn.yaml": "{task: detection, _target_: some.RFCN, num_proposals: 300}",
    "backbone/mobilenet.yaml": "{_target_: some.mobilenet}",
    "hydra/launcher/local.yaml": (CONF / "hydra/launcher/local.yaml").read_text(),
    "hydra/sweeper/grid.yaml": (CONF / "hydra/sweeper/grid.yaml").read_text(),
}


def write_files(folder: Path, texts: dict[str, str]) -> Path:
    """Writes each text to its name in the folder, which is returned."""
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
