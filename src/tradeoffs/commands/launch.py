"""The front door: every entry point comes through here, and every mistake leaves as one line.

Nothing here imports torch: a command line is composed and checked first, and only then is the work imported.
"""

from __future__ import annotations

import os
import select
import sys
import traceback
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from tradeoffs.errors import CRASH, JobFailedError, UserError
from tradeoffs.settings.command_line import read_arguments
from tradeoffs.settings.compose import CONF, compose, compose_with_axes, parse, settle
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.rules import check
from tradeoffs.settings.run_name import register_resolvers
from tradeoffs.settings.usual import with_usual
from tradeoffs.sweeps.failures import record_failure
from tradeoffs.sweeps.optional_settings import as_axes
from tradeoffs.sweeps.plan import Plan, described, engine_of, in_own_folder, plan_sweep, require_engine

if TYPE_CHECKING:
    from tradeoffs.sweeps.process import FailureHook

TRAINING = "tradeoffs.commands.train:train"
MISTAKE, INTERRUPTED, UNREAD = 2, 130, 141  # exit codes; a shell's for Ctrl-C and for a closed pipe


def launch(
    config_name: str, job: str, conf: Path = CONF, sweeps: bool = False, on_failure: FailureHook | None = None
) -> None:
    """Runs `job` ("package.module:function") with the config that the command line asks for.

    A mistake of the user is one line on stderr and exit code 2; Ctrl-C exits with 130, a crash with its traceback.
    -m is for commands that say `sweeps`. `on_failure` hears of a job that fails before anybody else.
    """
    with mistakes_answered():
        arguments = read_arguments(config_name)
        if arguments.help:
            print(usage(config_name, conf, arguments.overrides))
            return
        if arguments.multirun:
            plan = prepare_sweep(config_name, arguments, conf, sweeps)
            if arguments.cfg:
                print(*described(plan), sep="\n")
                return
        elif arguments.cfg:
            compose(config_name, arguments.overrides, conf)
        elif not (arguments.info or arguments.hydra_help or arguments.shell_completion):
            check_single(config_name, arguments.overrides, conf, sweeps)
        if config_name == "train" and not arguments.multirun:  # each job of a sweep has what is usual for it
            sys.argv[1:] = arguments.options + with_usual(arguments.overrides)
        run_with_hydra(config_name, job, conf, on_failure)


def launch_training(on_failure: FailureHook) -> None:
    """A single run with the command line of this process, as a job of a sweep is."""
    launch("train", TRAINING, on_failure=on_failure)


@contextmanager
def mistakes_answered() -> Iterator[None]:
    """What every entry point does around its work."""
    # A log file shows each line when it is written, and names of files that are no text at all are shown, too.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        yield
    except UserError as error:
        complain(error)
        sys.exit(MISTAKE)
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it flushes
        sys.exit(UNREAD)
    except KeyboardInterrupt:
        print("\nstopped by Ctrl-C", file=sys.stderr)
        sys.exit(INTERRUPTED)


def reader_is_gone() -> bool:
    """Whether what is printed goes into a pipe that nobody reads any more, as after `| head`."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError):  # not on every system, and not every stdout is a file
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def prepare_sweep(config_name: str, arguments: Namespace, conf: Path, sweeps: bool) -> Plan:
    """Gives the sweep its folder. Composes and checks every job before the first one starts."""
    if not sweeps:
        raise UserError("-m is for train.py; start the command once for each")
    require_engine(arguments.overrides)
    warnings.filterwarnings("ignore", "\\s*'hydra/launcher/ray' is validated")  # its plugin has one of that name, too
    arguments.overrides = as_axes(config_name, in_own_folder(config_name, arguments.overrides, conf), conf)
    sys.argv[1:] = arguments.options + arguments.overrides
    return plan_sweep(config_name, tuple(arguments.overrides), conf)


def check_single(config_name: str, overrides: Sequence[str], conf: Path, sweeps: bool) -> None:
    if engine := engine_of(overrides):
        raise UserError(f"hydra/launcher={engine} is for train.py -m; add -m, for a single run too")
    for text, override in parse(overrides):
        if override.key_or_group == "hydra/sweeper":
            raise UserError(f"{text} is for train.py -m; add -m")
        if override.is_sweep_override():
            remedy = "add -m for a run with each" if sweeps else "give one"
            a_list = "" if (conf / override.key_or_group).is_dir() else ", or put a list into [ ]"
            raise UserError(f"{text} holds several values; {remedy}{a_list}")
    config, axes = compose_with_axes(config_name, overrides, conf)
    experiment = next((text for text in overrides if text.startswith("experiment=")), None)
    given = {text.partition("=")[0] for text in overrides}
    if experiment and ("experiment" in axes or not axes.keys() <= given):
        raise UserError(f"{experiment} is several runs; add -m")
    check(config, conf)


def run_with_hydra(config_name: str, job: str, conf: Path, on_failure: FailureHook | None = None) -> None:
    module, _, function = job.partition(":")
    script = str(Path(sys.argv[0]).resolve())

    def task(config: DictConfig):
        with failures_shown(), failure_reported(on_failure, config):
            if in_sweep():
                as_single_run(script)
            settle(config)
            check(config, conf)  # once more for sweepers that choose a job by the results of others
            return getattr(import_module(module), function)(config)

    task.__module__ = module  # Hydra calls the job after it
    register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra itself prints what is raised and exits with 1
    try:
        hydra.main(version_base="1.3", config_path=str(conf), config_name=config_name)(task)()
    except JobFailedError as failure:
        sys.exit(failure.args[0])


def as_single_run(script: str) -> None:
    """Makes this process, wherever it is, look like one that was started for its job alone.

    Lightning starts further processes by the same command line, and paths are those of where the sweep was started.
    """
    sys.argv = [script, *HydraConfig.get().overrides.task]
    os.chdir(HydraConfig.get().runtime.cwd)


@contextmanager
def failure_reported(on_failure: FailureHook | None, config: DictConfig) -> Iterator[None]:
    """Lets somebody know of a failure; in a sweep on other machines, whoever reads the records."""
    try:
        yield
    except BaseException as error:
        if on_failure is not None:
            on_failure(config, error)
        elif in_sweep() and isinstance(error, Exception):
            record_failure(config, error)
        raise


@contextmanager
def failures_shown() -> Iterator[None]:
    """Says at once why a job fails. A single run ends then; in a sweep Hydra, told by an exception, goes on."""
    try:
        yield
    except UserError as error:
        complain(error)
        if not in_sweep():
            sys.exit(MISTAKE)
        raise JobFailedError(MISTAKE, error) from None
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning makes an exit of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except Exception:
        if not in_sweep():
            raise
        traceback.print_exc()
        raise JobFailedError(CRASH) from None


def in_sweep() -> bool:
    return HydraConfig.get().mode == RunMode.MULTIRUN


def complain(error: UserError) -> None:
    print(error, *(f"  {line}" for line in error.details), sep="\n", file=sys.stderr, flush=True)
