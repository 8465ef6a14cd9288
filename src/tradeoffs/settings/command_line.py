"""The words of a command line, as Hydra's parser needs them."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from tradeoffs.errors import UserError
from tradeoffs.model_facts import operating_points
from tradeoffs.settings.published import as_group, as_run
from tradeoffs.versions import versions

# Settings whose values need no quotes, though paths may hold what Hydra's grammar reserves.
PATHS = (
    *("run", "checkpoint", "source", "output", "runs", "name", "export", "figures", "resume", "data_dir", "data.root"),
    *("backbone.weights", "weights.file", "task.person_boxes", "boxes", "proposals.model"),
)
OF_RUNS = ("predict", "evaluate", "benchmark")  # commands for which published weights are a run


def read_arguments(config_name: str = "") -> Namespace:
    """Hydra's own arguments. Rewrites sys.argv, from which Hydra, and Lightning's further processes, read again."""
    parser = get_args_parser()
    parser.error = fail_to_read
    if "--version" in sys.argv[1:]:  # Hydra's own would be the answer
        print(versions())
        sys.exit()
    arguments, unknown = parser.parse_known_intermixed_args()
    if unknown:
        raise UserError(f"{unknown[0]} is not an option; settings are written KEY=VALUE, without dashes")
    arguments.options = [word for word in sys.argv[1:] if word not in arguments.overrides]
    if config_name in OF_RUNS:
        arguments.overrides = as_run(arguments.overrides)
    elif config_name == "train":
        arguments.overrides = as_group(arguments.overrides)
    if not arguments.multirun:
        arguments.overrides = [quote_value(override) for override in arguments.overrides]
    sys.argv[1:] = arguments.options + arguments.overrides
    return arguments


def fail_to_read(message: str) -> NoReturn:
    raise UserError(f"{message}; --help shows what there is")


def quote_value(override: str) -> str:
    """The same override for Hydra's parser: a run's own name has commas, a photo's perhaps brackets."""
    key, _, value = override.partition("=")
    if key in operating_points() and "," in value and not value.startswith("["):  # several values in one job
        return f"{key}=[{value}]"
    if key.lstrip("+") not in PATHS or value.startswith(('"', "'", "$")):
        return override
    return f"{key}={quote(value)}"


def quote(text: str) -> str:
    """A word for Hydra's parser, in quotes if it needs them: as a number does, which `2024` would be."""
    plain = re.fullmatch(r"[\w./-]*", text, re.ASCII) and not re.fullmatch(r"[-.\d_]+(e[-\d]+)?", text, re.IGNORECASE)
    return text if plain else "'" + text.replace("'", "\\'") + "'"
