"""Rows that compare, and a question to them: the best one in a sentence, and in further ones why it may be another."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tradeoffs.results.bounds import bounds, doubtful, untrained
from tradeoffs.results.columns import ACCURACY, CLOCKED, COLUMNS
from tradeoffs.results.differences import Difference, Differences
from tradeoffs.results.names import short_names
from tradeoffs.results.question import Limit, Question, amount, counted, digits, title
from tradeoffs.results.seeds import DATA

MOST = 3  # of those that are too close to call, or near a limit
DISTURBED, RANDOM = "disturbed", "random weights"
OF_RANDOM = "With random weights only the network's time counts: that of postprocessing depends on training."
OF_DISTURBED = "Disturbed times may be others on a quiet machine: take them again, by evaluate.py or benchmark.py."


class Answer(NamedTuple):
    """`about` says of which data and device; `row` is the folder of the answer's run, None where nothing fits."""

    about: str
    row: str | None
    sentence: str
    doubts: list[str]


class Contenders:
    """Rows that compare, and a question to them."""

    def __init__(self, rows: pd.DataFrame, single: pd.DataFrame, question: Question, root: Path, about: str):
        self.question, self.single, self.root, self.about = question, single, root, about
        self.high = COLUMNS[question.best].better == "high"
        names = pd.Series(short_names(rows, units=True), rows.index)
        order = self.by_worth(rows)
        self.rows, self.names = rows.iloc[order], names.iloc[order]
        self.within = self.meeting(sure=False)
        self.disturbed = np.any([doubtful(self.rows, name) for name in question.columns], axis=0)

    def by_worth(self, rows: pd.DataFrame) -> np.ndarray:
        """Places of the rows, the best first: a disturbed time counts as the worst that it may be."""
        value = rows[self.question.best].to_numpy(float)
        worst = bounds(rows, self.question.best)[:, 0 if self.high else 2]
        worth = np.where(doubtful(rows, self.question.best), worst, value)
        sign = -1 if self.high else 1
        return np.lexsort((sign * value, sign * worth))  # what may be however bad, nan, is last

    def meeting(self, sure: bool) -> np.ndarray:
        """Who is within all limits, by the estimate (of a disturbed time by its worst bound), or for sure."""
        found = np.ones(len(self.rows), dtype=bool)
        for limit in self.question.limits:
            low, value, high = bounds(self.rows, limit.column).T
            worst = high if limit.below else low
            strict = doubtful(self.rows, limit.column) | (sure & np.isfinite(worst))
            found &= fits(np.where(strict, worst, value), limit)
        return found

    def perhaps(self) -> np.ndarray:
        """Who is not within the limits, but may be."""
        found = np.ones(len(self.rows), dtype=bool)
        for limit in self.question.limits:
            low, value, high = bounds(self.rows, limit.column).T
            best = low if limit.below else high
            unknown = doubtful(self.rows, limit.column) & np.isnan(best)
            found &= fits(np.where(np.isfinite(best), best, value), limit) | unknown
        return found & ~self.within

    def answer(self) -> Answer:
        row, sentence, doubts = self.best() if self.within.any() else self.none_within()
        said = " ".join([sentence, *doubts])
        if DISTURBED in said:
            named = [f"{name} (" in said for name in self.names]
            doubts.append(self.again(self.disturbed & (named if self.within.any() else self.perhaps() | named)))
        if RANDOM in said:
            doubts.append(OF_RANDOM)
        return Answer(self.about, row, sentence, doubts)

    def none_within(self) -> tuple[None, str, list[str]]:
        """A disturbed time is no ground for a "no"."""
        limits, perhaps = " and ".join(map(str, self.question.limits)), self.perhaps()
        unknown = np.any([doubtful(self.rows, limit.column) for limit in self.question.limits], axis=0)
        if not perhaps.any() or not unknown[perhaps].all():
            surely = "surely " if perhaps.any() else ""
            return None, f"No run is {surely}{limits} on {self.about}.", list(self.perhaps_within())
        count, those = int(perhaps.sum()), "" if perhaps.all() else " that may be"
        times = f"the only time{those} is" if count == 1 else f"all {counted(count, 'time')}{those} are"
        sentence = (
            f"It cannot be told {'whether a' if count == 1 else 'which'} run is {limits} on {self.about}: "
            f"{times} disturbed, and a quiet machine may be much faster."
        )
        doubts = list(self.perhaps_within())
        if count > 1 and not doubtful(self.rows, self.question.best).any():
            one = self.rows[perhaps].iloc[0]
            best = f"{'highest' if self.high else 'lowest'} {title(self.question.best)}"
            doubts += [f"The {best} of these has {self.called(one)}.", *self.close(one, perhaps)]
        return None, sentence, doubts

    def again(self, which: np.ndarray) -> str:
        """What to type on a quiet machine, with all seeds of these rows whose times were disturbed."""
        alike = ["recipe", *DATA, "device", "protocol"]
        times = self.single[doubtful(self.single, "ms")]
        rows = pd.MultiIndex.from_frame(self.rows.loc[which, alike])
        names = times.index[pd.MultiIndex.from_frame(times[alike]).isin(rows)]
        runs = [str(self.root / name) for name in names if "/evaluations/" not in name]
        if len(runs) < len(names) or not all((Path(run) / "config.yaml").is_file() for run in runs):
            return OF_DISTURBED  # of an evaluation, or random weights: no run to be named
        if len(runs) == 1:
            return f"On a quiet machine: python evaluate.py {shlex.quote(f'run={runs[0]}')} measure=true"
        together = shlex.quote(f"run=[{','.join(runs)}]")
        return f"On a quiet machine: python benchmark.py {together} overwrite=true"

    def best(self) -> tuple[str, str, list[str]]:
        limits = " and ".join(map(str, self.question.limits))
        one = self.rows[self.within].iloc[0]
        best = f"has the {'highest' if self.high else 'lowest'} {title(self.question.best)}"
        means = f", means of {one['seeds']:.0f} seeds" if self.one_count and one["seeds"] > 1 else ""
        sentence = f"{self.called(one)} {best}{f' {limits}' if limits else ''} on {self.about}{means}."
        doubts = [
            *self.beyond(one),
            *self.close(one, self.within),
            *self.perhaps_better(one),
            *self.perhaps_trained(one),
        ]
        return str(one.name), sentence, doubts or list(self.surely_worse(one))

    @property
    def one_count(self) -> bool:
        return self.rows["seeds"].nunique() == 1

    def called(self, row: pd.Series) -> str:
        """The run with its numbers, and what weakens them."""
        values = [amount(name, row[name]) for name in self.question.columns]
        values += [f"mean of {row['seeds']:.0f} seeds"] if row["seeds"] > 1 and not self.one_count else []
        if any(name in CLOCKED for name in self.question.columns) and self.rows["protocol"].nunique() > 1:
            values.append(f"timed as {row['protocol']}")
        return f"{self.names[row.name]} ({', '.join([*values, *self.weaknesses(row)])})"

    def weaknesses(self, row: pd.Series) -> Iterator[str]:
        alone, asked = self.rows.loc[[row.name]], self.question.columns
        if any(doubtful(alone, name)[0] for name in asked):
            yield DISTURBED
        if asks_accuracy(self.question) and untrained(alone)[0]:
            yield row["hardly_trained"]
        if any(name in CLOCKED for name in asked):
            if row["trained"] == False:  # noqa: E712 (None is not known)
                yield RANDOM
            if 0 < row["timed"] < row["seeds"]:
                yield f"{row['timed']:.0f} of {row['seeds']:.0f} seeds timed"

    def beyond(self, one: pd.Series) -> Iterator[str]:
        """Limits that it may not meet, and who meets them for sure."""
        sure, place = self.meeting(sure=True), self.rows.index.get_loc(one.name)
        if sure[place]:
            return
        for limit in self.question.limits:
            low, value, high = bounds(self.rows.loc[[one.name]], limit.column)[0]
            if np.isfinite(worst := high if limit.below else low) and not fits(worst, limit):
                yield (
                    f"Too near the limit to be sure: {amount(limit.column, value)}, "
                    f"it may be {digits(low)} to {digits(high)}."
                )
        if sure.any():
            yield f"Within the limits for sure: {self.called(self.rows[sure].iloc[0])}."

    def close(self, one: pd.Series, among: np.ndarray) -> Iterator[str]:
        """Who may be as good."""
        others = self.rows.index[among & (self.rows.index != one.name)]
        differences = Differences(self.rows, self.single, self.question.best, self.root)
        found = {other: differences.between(one.name, other) for other in others}
        close = [other for other, each in found.items() if each.known and may_be_as_good(each, self.high)]
        if close:
            said = [f"{self.called(self.rows.loc[each])}: {self.described(found[each])}" for each in close[:MOST]]
            more = f"; and {len(close) - MOST} more" if len(close) > MOST else ""
            yield f"Too close to call: {'; '.join(said)}{more}."
        if unknown := [other for other, each in found.items() if not each.known]:
            gap = f"{digits(abs(found[unknown[0]].interval.value))} {COLUMNS[self.question.best].unit}".rstrip()
            following = self.called(self.rows.loc[unknown[0]])
            yield f"How sure that is cannot be told, for want of intervals; next is {following}, {gap} from it."

    def surely_worse(self, one: pd.Series) -> Iterator[str]:
        """By how much the next one is, where nothing else is to be said."""
        for other in self.rows.index[self.within & (self.rows.index != one.name)][:1]:
            gap = Differences(self.rows, self.single, self.question.best, self.root).between(one.name, other)
            yield f"The next one is {self.called(self.rows.loc[other])}; {self.described(gap)}."

    def described(self, difference: Difference) -> str:
        if not difference.ground:
            return "equal"
        form, unit = ("{:.3f}", "") if self.question.best in ACCURACY else ("{:.3g}", COLUMNS[self.question.best].unit)
        value, low, high = (form.format(round(each, 3) + 0.0) for each in difference.interval)  # without -0.000
        sure = "95 % " if self.question.best in ACCURACY else ""
        return f"difference {value} {unit}".rstrip() + f", {sure}{low} to {high} {difference.ground}"

    def perhaps_within(self) -> Iterator[str]:
        """Where nobody is within the limits."""
        if found := self.listed(self.rows[self.perhaps()]):
            yield f"May be within the limits: {found}."
        elif len(self.question.limits) == 1:
            (limit,) = self.question.limits
            yield f"The nearest is {self.called(self.rows.sort_values(limit.column, ascending=limit.below).iloc[0])}."

    def perhaps_better(self, one: pd.Series) -> Iterator[str]:
        """Who would be the answer, if it met a limit that it may meet."""
        gaps = (self.rows[self.question.best] - one[self.question.best]) * (1 if self.high else -1)
        if found := self.listed(self.rows[self.perhaps() & (gaps > 0)]):
            yield f"Better, and perhaps within the limits: {found}."

    def perhaps_trained(self, one: pd.Series) -> Iterator[str]:
        others = self.rows[untrained(self.rows) & (self.rows.index != one.name)]
        if asks_accuracy(self.question) and len(others):
            said = [f"{self.names[name]} ({why})" for name, why in others["hardly_trained"].head(MOST).items()]
            yield f"May do better when trained: {'; '.join(said)}."

    def listed(self, rows: pd.DataFrame) -> str:
        return "; ".join(self.called(row) for _, row in rows.head(MOST).iterrows())


def asks_accuracy(question: Question) -> bool:
    return any(name in ACCURACY for name in question.columns)


def fits(value: np.ndarray | float, limit: Limit) -> np.ndarray | np.bool_:
    """False for nan."""
    return value <= limit.value if limit.below else value >= limit.value


def may_be_as_good(difference: Difference, high: bool) -> bool:
    """Whether the second of the two may be as good as the first one; what is not known may be."""
    low, _, top = difference.interval.low, difference.interval.value, difference.interval.high
    return not (low > 0 if high else top < 0)
