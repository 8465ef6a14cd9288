"""What is wrong with a command line, in one line: Hydra's complaints said so that the remedy can be read off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException

from tradeoffs.errors import MismatchError, UserError
from tradeoffs.settings.published import WITHOUT_FILES

# Settings that are easily given without the choice to which they belong.
OF_CHOICE = {"data.root": "data=coco_folder or image_folder"}


def explain(error: HydraException, settings: Callable[[str], list[str]] = lambda key: []) -> UserError:
    """The mistake behind an exception of Hydra's; `settings(key)` lists what can be set if `key` is left alone."""
    match error:
        case OverrideParseException():
            return unreadable(error.override)
        case MissingConfigException(options=[_, *_] as choices):
            group, _, choice = str(error.missing_cfg_file).rpartition("/")
            return unknown_choice(group, choice, choices)
        case ConfigCompositionException() if key := re.search(r"Could not override '([^']+)'", str(error)):
            return unknown_setting(key[1], settings(key[1]))
        case _:
            return UserError(one_line(error))


def unreadable(override: str) -> UserError:
    if "=" not in override:
        return UserError(f"{override} is not understood; settings are written KEY=VALUE")
    key, _, value = override.partition("=")
    escaped = value.replace("'", r"\'")
    return UserError(f"{override} is not understood; in Hydra's grammar quote it: \"{key}='{escaped}'\"")


def unknown_choice(group: str, choice: str, choices: Iterable[str]) -> UserError:
    choices = [*choices, *WITHOUT_FILES.get(group, ())]
    return UserError(f"{group}={choice} is unknown;{nearest(choice, choices)} choose: {', '.join(sorted(choices))}")


def unknown_setting(key: str, settings: list[str]) -> UserError:
    """Suggests the key that is spelled alike, or ends alike, or those beside it.

    No mistake in a sweep in which others know the setting. Alike end `optimizer.lr` and `lr`, and
    `data.source.num_val` and `data.num_val`.
    """
    if key in settings:
        return UserError(f"{key} cannot be chosen anew here; --help lists what can")
    part, dot, last = key.rpartition(".")
    deeper = [setting for setting in settings if setting.endswith(f".{key}")] or [
        setting for setting in settings if dot and setting.startswith(f"{part}.") and setting.endswith(f".{last}")
    ]
    beside = [setting.rpartition(".")[2] for setting in settings if setting.rpartition(".")[0] == part]
    if key in OF_CHOICE:
        hint = f" it belongs to {OF_CHOICE[key]}, which has to be given, too"
    elif deeper:
        hint = f" did you mean {deeper[0]}?"
    elif dot and beside:
        hint = nearest(last, beside, f"{part}.") or f" there are: {', '.join(part + dot + name for name in beside)}"
    else:
        hint = nearest(key, settings) or " --help lists them"
    return MismatchError(f"{key} is not a setting;{hint}")


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """` did you mean ssd?`, or nothing if no known word comes close."""
    close = get_close_matches(word, list(known), n=1)
    return f" did you mean {prefix}{close[0]}?" if close else ""


def one_line(error: BaseException) -> str:
    """What an exception and its cause say at their beginning, in one line."""
    causes = [error] + ([error.__cause__] if error.__cause__ else [])
    return ": ".join(filter(None, map(_opening, causes)))


def _opening(error: BaseException) -> str:
    first, _, rest = str(error).strip().partition("\n")
    return f"{first} {rest.strip().partition(chr(10))[0]}" if first.endswith(":") else first.rstrip(".")
