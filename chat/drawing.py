"""The geometry of what is drawn: the inspector's gauge, sparkline of runs and bars of steps; the operator's charts.

All figures are percent of the drawing's width or height, rounded as SVG attributes want them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.models import Run, Step
from agents.queue_manager import Marks
from agents.selectors import Figure, Gauge, Why

LEAST_BARS = 10  # that a sparkline has room for: fewer runs do not become wide blocks
BAR_SHARE = 0.8  # of a bar's place; the rest is the gap to the next


@dataclass(frozen=True)
class Segment:
    """A section of the main context as a stretch of the gauge."""

    name: str
    tokens: int
    start: float
    share: float


@dataclass(frozen=True)
class GaugeDrawing:
    """Sections side by side within the window, and where the marks stand. `percent` is the part that is used."""

    percent: int
    segments: list[Segment]
    warning: float
    flush: float


def gauge(view: Gauge) -> GaugeDrawing:
    """Sections that do not fit the window are cut at its end."""
    window = view.marks.window
    segments, start = [], 0.0
    for section in view.sections:
        share = min(100 * section.tokens / window, 100 - start)
        segments.append(Segment(section.name, section.tokens, round(start, 2), round(share, 2)))
        start += share
    return GaugeDrawing(
        percent=round(100 * view.used / window),
        segments=segments,
        warning=round(100 * view.marks.warning / window, 1),
        flush=round(100 * view.marks.flush / window, 1),
    )


@dataclass(frozen=True)
class Bar:
    """The last prompt of one run; `run` is its id."""

    run: int
    tokens: int
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True)
class Sparkline:
    """A bar for each run, the window their height, and the height of the marks, measured from the top."""

    bars: list[Bar]
    warning: float
    flush: float


def sparkline(prompts: list[tuple[int, int]], marks: Marks) -> Sparkline:
    """Of `(run id, tokens)`, oldest first, beside the marks of now."""

    def top(tokens: int) -> float:
        return round(100 - min(100 * tokens / marks.window, 100), 2)

    place = 100 / max(len(prompts), LEAST_BARS)
    bars = [
        Bar(
            run=run,
            tokens=tokens,
            x=round(index * place, 2),
            width=round(place * BAR_SHARE, 2),
            y=top(tokens),
            height=round(100 - top(tokens), 2),
        )
        for index, (run, tokens) in enumerate(prompts)
    ]
    return Sparkline(bars, top(marks.warning), top(marks.flush))


def step_bars(run: Run) -> list[tuple[Step, float, float]]:
    """Steps with their time to the first token and the rest of their time, in percent of the longest step."""
    steps = list(run.steps.all())
    longest = max((step.latency for step in steps), default=0) or 1
    return [
        (
            step,
            round(100 * min(step.time_to_first_token, step.latency) / longest, 1),
            round(100 * max(step.latency - step.time_to_first_token, 0) / longest, 1),
        )
        for step in steps
    ]


def figure_bars(why: Why) -> list[tuple[Figure, float, float]]:
    """The figures of a score, each with where its bar begins and its width: to the right of the others' zero what adds
    to the score, to the left what takes from it."""
    values = [figure.part.contribution for figure in why.figures]
    low, high = min(0.0, *values), max(0.0, *values)
    scale = 100 / ((high - low) or 1)
    return [
        (figure, round((min(0.0, value) - low) * scale, 2), round(abs(value) * scale, 2))
        for figure, value in zip(why.figures, values, strict=True)
    ]


@dataclass(frozen=True)
class Series:
    """What is stacked on the series before it, by hour; `told` are the figures themselves, where those are others."""

    name: str
    heights: Sequence[float]
    told: Sequence[float] | None = None


@dataclass(frozen=True)
class Column:
    """One hour: parts from the ground up, each `(series, y, height)`, and its figures in words."""

    hour: datetime
    x: float
    width: float
    parts: list[tuple[int, float, float]]
    tells: str


@dataclass(frozen=True)
class Chart:
    """A column for each hour; `top`, in words `told_top`, is what the drawing's height stands for: 0 if nothing was."""

    title: str
    names: list[str]
    top: float
    columns: list[Column]

    @property
    def told_top(self) -> str:
        return _figure(self.top)


def chart(title: str, hours: Sequence[datetime], series: Sequence[Series]) -> Chart:
    """Of figures by hour, the hours from the left to the right."""
    top = max((sum(heights) for heights in zip(*(one.heights for one in series), strict=True)), default=0)
    place = 100 / len(hours)
    columns = []
    for index, hour in enumerate(hours):
        parts, ground = [], 100.0
        for number, one in enumerate(series):
            height = 100 * one.heights[index] / top if top else 0
            ground -= height
            parts.append((number, round(ground, 2), round(height, 2)))
        tells = ", ".join(f"{one.name}: {_figure((one.told or one.heights)[index])}" for one in series)
        columns.append(Column(hour, round(index * place, 2), round(place * BAR_SHARE, 2), parts, tells))
    return Chart(title, [one.name for one in series], top, columns)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"
