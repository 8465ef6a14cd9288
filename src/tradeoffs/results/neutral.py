"""Which settings make a run what it is, and which do not."""

from __future__ import annotations

# Settings that change where, with what help or how often something runs, but not its result.
NEUTRAL = (
    *("name", "runs", "run", "output", "data_dir", "resume", "overwrite", "measure", "checkpoint_minutes", "jobs"),
    *("keep_last", "trials", "stop_hopeless", "workers", "logger", "operating_points", "lookup"),
    "task.coco_kind",  # data.source.kind has it where it matters
    *("data.source.root", "data.source.cache", "trainer.accelerator", "trainer.devices", "trainer.log_every_n_steps"),
    "trainer.enable_progress_bar",
)

# Settings that say where the data lie. Whether they are the same data their hashes tell, see `data_identity`.
PLACES = ("data.root",)


def matters(key: str) -> bool:
    """Whether a setting, or the group that it is in, may change a result."""
    return not any(key == neutral or key.startswith(f"{neutral}.") for neutral in NEUTRAL)
