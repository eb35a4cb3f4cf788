"""Progress of a long job: a bar on a terminal, a line now and then elsewhere, and the log of its run folder."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_INTERVAL = 10.0  # s between lines where there is no terminal


class Progress:
    """Counts points; says points/s and the time left. Use as a context."""

    def __init__(self, log: Path, total: int, done: int = 0) -> None:
        self._log, self.total, self.done, self.evaluated = log, total, done, 0
        self._started = self._last = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        self._started = self._last = time.monotonic()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.percentage:3.0f} %"), BarColumn(), TextColumn("{task.fields[speed]} points/s"),
                TimeRemainingColumn(), console=Console(stderr=True),
            )  # fmt: skip
            self._task = self._bar.add_task("", total=self.total, completed=self.done, speed="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = time.monotonic()
        if self._bar is not None:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """Time inside the context."""
        return getattr(self, "_ended", time.monotonic()) - self._started

    @property
    def rate(self) -> float | None:
        """Points per second of this process, None if it had none to do."""
        return self.evaluated / self.seconds if self.evaluated else None

    def advance(self, points: int) -> None:
        """Some more points are finished."""
        self.done, self.evaluated, now = self.done + points, self.evaluated + points, time.monotonic()
        speed = self.evaluated / (now - self._started)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, speed=f"{speed:.3g}")
        if now - self._last > _INTERVAL or self.done == self.total:
            self._last, left = now, (self.total - self.done) / speed
            line = f"{self.done} of {self.total} points, {speed:.3g} points/s, {left:.0f} s left"
            if self._bar is None:
                self.say(line)
            else:
                self._write(line)

    def say(self, message: str) -> None:
        """One line on standard error and in the log."""
        print(message, file=sys.stderr, flush=True)
        self._write(message)

    def _write(self, message: str) -> None:
        with self._log.open("a", encoding="utf-8") as stream:
            stream.write(message + "\n")
