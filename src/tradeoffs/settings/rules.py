"""Which settings go together. Checked before torch is imported, so that a mistake costs less than a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tradeoffs.errors import MismatchError, UserError
from tradeoffs.model_facts import operating_point_of, operating_points
from tradeoffs.settings.compose import CONF, leaves
from tradeoffs.settings.hydra_errors import one_line
from tradeoffs.settings.places import check_paths, check_places
from tradeoffs.settings.published import published_models
from tradeoffs.settings.values import check_values
from tradeoffs.task_facts import TRUTH, annotations_in, scores_of

# Sides in pixels below which a backbone, which pads little, has no features left; by timm's name of it.
SMALLEST_IMAGES = {"inception_v3": 75, "inception_v4": 75, "inception_resnet_v2": 75, "convnet": 46}

PARTS = ("task", "model", "backbone", "data")
OF_PROPOSALS = ("data", "proposals")  # and nothing else, where regions are proposed without a model

# What to write where a value has to be given.
EXAMPLES = {
    "data.root": "FOLDER",
    "run": "FOLDER",
    "source": "FILE, FOLDER or 'GLOB'",
    "backbone.name": "NAME",
    "proposals.run": "FOLDER",
    "proposals.model": "FILE, the edge detector: model.yml.gz of github.com/opencv/opencv_extra",
}


def check(config: DictConfig, conf: Path = CONF) -> None:
    """Raises UserError for the first thing in a composed config that cannot work."""
    check_parts(config, conf)
    check_complete(config)
    check_values(config)
    check_batch_size(config)
    check_image_size(config)
    check_task(config, conf)
    check_backbone(config, conf)
    check_resize(config)
    check_headline(config)
    check_views(config)
    check_person_boxes(config)
    check_neck(config, conf)
    check_upsampling(config, conf)
    check_proposals(config, conf)
    check_weights(config)
    check_epochs(config)
    check_operating_points(config, conf)
    check_paths(config)
    check_places(config)


def check_parts(config: DictConfig, conf: Path) -> None:
    """No part was taken away (`model=null`) from a config that has parts at all."""
    parts = OF_PROPOSALS if "split" in config else PARTS if any(part in config for part in PARTS) else ()
    for part in parts:
        if config.get(part) is None:
            choices = ", ".join(sorted(file.stem for file in (conf / part).glob("*.yaml")))
            raise UserError(f"{part} is missing; choose one: {choices}")


def check_complete(config: DictConfig) -> None:
    """Every mandatory value is given, and every reference inside the config leads somewhere."""
    for key, value in leaves(config):
        if value == "???":
            raise UserError(f"{key} is missing; add {key}={EXAMPLES.get(key, 'VALUE')}")
    try:
        OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key} has no value: {one_line(error)}") from error


def check_batch_size(config: DictConfig) -> None:
    """Only a data set to train on can suggest one."""
    if config.get("batch_size") == "auto" and "source" in config:
        raise UserError("batch_size=auto is for training; give a number of images")


def check_image_size(config: DictConfig) -> None:
    """The images are large enough for the backbone."""
    backbone = config.get("backbone") or {}
    name = backbone.get("name") or str(backbone.get("_target_")).rpartition(".")[2]
    least = SMALLEST_IMAGES.get(name.partition(".")[0], 0)
    if (size := config.get("image_size", least)) < least:
        raise MismatchError(f"image_size={size} is too small for backbone={name}; give {least} or more")


def check_task(config: DictConfig, conf: Path) -> None:
    """The model does what the task asks: `task:` in its YAML is the name of the task."""
    task, model = OmegaConf.select(config, "task.name"), config.get("model")
    if task is None or model is None or model.get("task") in (None, task):
        return
    fitting = ", ".join(name for name, other in all_models(conf).items() if other.get("task") == task) or "none yet"
    raise MismatchError(f"model={name_of(model, conf)} is for task={model.task}; for task={task} choose: {fitting}")


def name_of(model: DictConfig, conf: Path) -> str:
    """Of the choice that these settings began with."""
    models = all_models(conf).items()
    return next((name for name, other in models if other.get("_target_") == model.get("_target_")), "this")


def check_headline(config: DictConfig) -> None:
    """It is something that the task is scored by, of which more is better."""
    task = config.get("task") or {}
    scores = [name for name, score in scores_of(task.get("name", "")).items() if score.better == "high"]
    if "headline" in task and scores and task.headline not in scores:
        raise UserError(f"task.headline={task.headline} is impossible; task.headline is one of {', '.join(scores)}")


def check_views(config: DictConfig) -> None:
    """Boxes and label maps follow what is done to images, and what is cut away of them is never found."""
    annotations, task = annotations_in(config), OmegaConf.select(config, "task.name")
    views = config.get("augmentation") or {}
    if "person" in annotations:
        check_person_views(config, task, views.get("geometry"))
    elif views.get("geometry") == "person":
        raise MismatchError(
            f"augmentation=person cuts out people by their boxes; for task={task} with this model choose another one"
            if "keypoints" in annotations
            else f"augmentation=person cuts out people by their boxes; for task={task} choose another one"
        )
    if not {"boxes", "main_box", "label_map"} & {*annotations}:
        return
    if config.get("resize") == "centre":
        raise MismatchError(f"resize=centre cuts objects away; it is for task=classification, not for task={task}")
    if views.get("strength"):
        raise MismatchError(
            f"augmentation.strength={views.strength} moves pixels alone, not what is known of them; leave it 0 for "
            f"task={task}"
        )
    if "main_box" in annotations and views.get("geometry") not in (None, "none", "flip"):
        raise MismatchError(
            f"augmentation={views.geometry} may cut the main object away; for task={task}: flip or none"
        )


def check_person_boxes(config: DictConfig) -> None:
    """They are given to models that do not look for people themselves."""
    boxes = OmegaConf.select(config, "task.person_boxes")
    if boxes not in (None, TRUTH) and "keypoints" in annotations_in(config):
        raise MismatchError(f"task.person_boxes={boxes} is not for this model, which finds people itself; leave it out")


def check_person_views(config: DictConfig, task: str, geometry: str | None) -> None:
    """People are cut out by their boxes."""
    if config.get("resize", "warp") != "warp":
        raise MismatchError(f"resize={config.resize} has no effect on task={task}, which cuts people out; leave it out")
    if geometry not in (None, "none", "flip", "person"):
        raise MismatchError(f"augmentation={geometry} is for whole images; for task={task}: person, flip or none")


def check_backbone(config: DictConfig, conf: Path) -> None:
    """Only models with layers of their own do without a backbone; those have no use for one."""
    model, backbone = ((config.get(part) or {}).get("_target_") for part in ("model", "backbone"))
    if model is None or backbone is None:
        return
    without = {name: each._target_ for name, each in all_models(conf).items() if each.get("backbone") == "none"}
    if model in without.values() and not backbone.endswith(".none"):
        raise MismatchError("this model has layers of its own in place of a backbone; give backbone=none")
    if model not in without.values() and backbone.endswith(".none"):
        raise MismatchError(f"backbone=none is for model={' or '.join(without)}; choose a backbone")


def check_resize(config: DictConfig) -> None:
    """The model can do with images of several shapes: else `resizes:` in its YAML says what it can do with."""
    resize, allowed = config.get("resize"), (config.get("model") or {}).get("resizes")
    if allowed and resize not in allowed:
        choices = " or ".join(allowed)
        raise MismatchError(f"resize={resize} is not for this model, which needs images of one shape; choose {choices}")


def check_weights(config: DictConfig) -> None:
    """Weights of whole detectors are those of a few, and leave nothing for weights of a backbone to do."""
    weights = config.get("weights")
    if weights is None:
        return
    if "model" not in weights:
        choices = ", ".join(published_models())
        raise MismatchError(f"weights={weights.name} are not for this model; choose model= and one of {choices}")
    if config.backbone.get("name", weights.backbone) != weights.backbone:
        raise MismatchError(f"weights={weights.name} are of backbone={weights.backbone}; leave backbone= out")
    if weights.file and "checkpoint" not in config and not Path(weights.file).is_file():  # which a run needs no more
        raise UserError(f"weights={weights.file} does not exist; give coco or one of torchvision's files")
    if config.backbone.get("weights") != "none":
        raise MismatchError(f"weights={weights.name} fill the backbone, too; leave backbone.weights= out")


def check_neck(config: DictConfig, conf: Path) -> None:
    """`model.neck=fpn` is a choice of one model; the neck of others has settings of its own."""
    neck = OmegaConf.select(config, "model.neck")
    if isinstance(neck, str):
        fitting = {
            name: model._target_ for name, model in all_models(conf).items() if isinstance(model.get("neck"), str)
        }
        if config.model._target_ not in fitting.values():
            raise MismatchError(f"model.neck={neck} is for model={' or '.join(fitting)}, and this one is another model")


def check_upsampling(config: DictConfig, conf: Path) -> None:
    """It is chosen for a model that has one: `upsampling` stands in its YAML."""
    if OmegaConf.select(config, "model.upsampling") is not None:
        fitting = {name: model._target_ for name, model in all_models(conf).items() if "upsampling" in model}
        if config.model.get("_target_") not in fitting.values():
            raise MismatchError(f"upsampling= is for models that upsample: {', '.join(fitting)}; leave it out here")


def check_proposals(config: DictConfig, conf: Path) -> None:
    """They are chosen for a model that needs regions, and only for such."""
    if (model := config.get("model")) is None:
        return
    needed = model.get("needs") == "regions"
    if model.get("svd") and "epochs" in config and "run" not in config:
        raise UserError("model.svd is for trained networks: evaluate.py, predict.py, benchmark.py; leave it out here")
    if needed == bool(config.get("proposals")):
        return
    if needed:
        choices = ", ".join(sorted(file.stem for file in (conf / "proposals").glob("*.yaml")))
        raise MismatchError(
            f"model={name_of(model, conf)} needs regions from outside; add proposals=, one of {choices}"
        )
    fitting = ", ".join(name for name, other in all_models(conf).items() if other.get("needs") == "regions")
    raise MismatchError(f"proposals= is for models that need regions: {fitting}; leave it out here")


def check_epochs(config: DictConfig) -> None:
    """Without training there is something to score where the whole network was published."""
    if config.get("epochs") == 0 and "run" not in config and not config.model.get("whole"):
        raise UserError("epochs=0 scores a published classifier as it is; type weights=timm, or give epochs=1 or more")


def check_operating_points(config: DictConfig, conf: Path) -> None:
    """They are asked of a model that declares such, and do not go beyond its own."""
    for name, title, _ in operating_points().values():
        if config.get(name) is not None and name not in config.model:
            fitting = ", ".join(model for model, settings in all_models(conf).items() if name in settings)
            raise MismatchError(f"{name}= is for models with {title}: {fitting}; this run has none")
    point, values = operating_point_of(config.get("model") or {}), config.get("operating_points")
    most = config.model[point.name] if point else None
    if "run" not in config and values and most and max([values] if isinstance(values, int) else values) > most:
        raise UserError(f"operating_points={values}: the model makes model.{point.name}={most}; give at most as many")


@cache
def all_models(conf: Path) -> dict[str, DictConfig]:
    """The YAML of every model, by name. Read once: each job of a sweep is checked by them."""
    return {file.stem: OmegaConf.load(file) for file in sorted((conf / "model").glob("*.yaml"))}
