"""Tasks that take turns: whoever is about to call AWS or Stripe waits until it is chosen.

A task is a greenlet. Between two calls it runs alone, as a Lambda invocation does with what is its
own; so an order of calls is all that a history is, and the same choices give the same history.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

Result = TypeVar("Result")

CRASH_BEFORE = "crash before"
CRASH_AFTER = "crash after"
GIVEN_UP = "client gives up"
ENDINGS = (CRASH_BEFORE, CRASH_AFTER, GIVEN_UP)
"""What may happen to an invocation at any call of its. A time limit that runs out is a crash:
nothing more is done, and who asked asks again. One who gives up asks again beside it."""


class Killed(BaseException):
    """The invocation is dead. No `except Exception` sees it, and no call of a `finally` gets
    through."""


class Choices(Protocol):
    """Who decides a history: a seed or a script. Once `quiet`, nothing goes wrong any more;
    `cold` functions have just started."""

    quiet: bool
    cold: bool

    def next(self, options: list[str], present: str | None) -> int:
        """Whose turn it is; `present` had the last one."""
        ...

    def fault(self, kind: str, faults: tuple[str, ...]) -> str | None: ...

    @property
    def random(self) -> Random: ...


@dataclass(eq=False)
class Task:
    """`answer` is what it returned; None where it was killed. It has its turn when `may_go_on`.
    `given_up` is an invocation of which nobody waits for the answer any longer."""

    name: str
    greenlet: Any
    skew: float = 0.0
    invocation: bool = False
    dead: bool = False
    done: bool = False
    given_up: bool = False
    may_go_on: Callable[[], bool] | None = None
    answer: Any = None


@dataclass
class Scheduler:
    choices: Choices
    told: list[str] | None = None
    """A line for each step, where somebody wants to read them."""
    clock: float = 0.0
    injected: Counter[tuple[str, str]] = field(default_factory=Counter)
    offered: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    """Kinds of calls, each with the faults that could have struck it."""
    tasks: list[Task] = field(default_factory=list)
    after_step: Callable[[], None] = lambda: None
    _present: Task | None = None
    _hub: Any = None

    def spawn(self, name: str, do: Callable[[], Any], skew: float = 0.0) -> Task:
        task = Task(name, None, skew=skew)

        def run() -> None:
            try:
                task.answer = do()
            except Killed:
                task.answer = None
            task.done = True

        task.greenlet = greenlet(run, self._hub)
        self.tasks.append(task)
        return task

    def run(self, others: Callable[[], list[tuple[str, Callable[[], Any]]]]) -> None:
        """Until nothing is left to do. `others` are things that may begin at any time."""
        self._hub = getcurrent()
        while True:
            ready = [each for each in self.tasks if each.may_go_on is None or each.may_go_on()]
            beginnings = others()
            options = [task.name for task in ready] + [name for name, _ in beginnings]
            if not options:
                return
            present = self._present.name if self._present in ready else None
            chosen = self.choices.next(options, present)
            if chosen < len(ready):
                self._take_turn(ready[chosen])
            else:
                beginnings[chosen - len(ready)][1]()

    def _take_turn(self, task: Task) -> None:
        self._present = task
        task.may_go_on = None
        self.clock += 0.01
        task.greenlet.parent = self._hub
        task.greenlet.switch()
        if task.done:
            self.tasks.remove(task)
        self.after_step()

    @property
    def present(self) -> Task:
        assert self._present is not None
        return self._present

    def wait_for(self, task: Task) -> None:
        """Until it ends, or its client's patience does."""
        self.wait_until(lambda: task.done or task.given_up)

    def wait_until(self, reached: Callable[[], bool]) -> None:
        self.present.may_go_on = reached
        self._hub.switch()

    @property
    def calm(self) -> bool:
        """Whether no invocation is under way."""
        return not any(task.invocation for task in self.tasks)

    def pause(self) -> None:
        """Others may run."""
        self._hub.switch()

    def call(
        self,
        kind: str,
        perform: Callable[[], Result],
        faults: dict[str, Callable[[Callable[[], Result]], Result]],
        detail: str = "",
    ) -> Result:
        """Performs it when the task's turn comes, or what the fault that is chosen makes of it."""
        task = self.present
        if task.dead:
            raise Killed
        self.pause()
        offered = (*ENDINGS, *faults)
        fault = self.fault(kind, offered)
        if self.told is not None:
            self.tell(
                f"{task.name}: {kind} {detail}" + (f"   <<< {fault.upper()}" if fault else "")
            )
        if fault is None:
            return perform()
        if fault == GIVEN_UP:
            task.given_up = True
            return perform()
        if fault in (CRASH_BEFORE, CRASH_AFTER):
            if fault == CRASH_AFTER:
                self._ignoring_errors(perform)
            task.dead = True
            raise Killed
        return faults[fault](perform)

    def fault(self, kind: str, faults: tuple[str, ...]) -> str | None:
        """Which of these strikes here, counted."""
        if self.choices.quiet:
            return None
        self.offered.add((kind, faults))
        chosen = self.choices.fault(kind, faults)
        if chosen is not None:
            self.injected[kind, chosen] += 1
        return chosen

    @property
    def reached(self) -> set[tuple[str, str]]:
        return {(kind, each) for kind, faults in self.offered for each in faults}

    def tell(self, line: str) -> None:
        if self.told is not None:
            self.told.append(f"{self.clock:12.2f}  {line}")

    @staticmethod
    def _ignoring_errors(perform: Callable[[], Any]) -> None:
        """Nobody is there to hear them."""
        try:
            perform()
        except Exception:
            return
