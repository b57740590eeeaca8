"""The agent loop: compile, ask, execute, commit, until the run ends (paper section 2.4: function chaining).

Each step is one transaction: the assistant message, function results and memory writes land together or not at all,
so a run can be taken up again after any crash at the step that was not committed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents import function_executor, queue_manager, runs
from agents.broadcast import bus
from agents.broadcast.draft import Draft
from agents.broadcast.events import ContextChanged
from agents.exceptions import ContextOverflow, LLMError, RunCancelled
from agents.function_executor import Result
from agents.functions import registry, toolset
from agents.llm import gateway
from agents.llm.gateway import config_of
from agents.llm.types import Completion, FunctionCall, Role, Usage
from agents.locks import release_connection
from agents.main_context.compile import MainContext, core_memory_tokens, prefix_of
from agents.main_context.fifo_queue import package_result
from agents.models import Agent, Message, Run, Step
from agents.prompts import LOOP_STOPPED, NO_CALL_STOPPED, TOO_MANY_STEPS
from agents.runs import Lease
from agents.telemetry import metrics, traces
from agents.telemetry.marks import marked
from agents.text.clean import encodable_json

SAME_CALLS = 3
TRIES = 3  # of one step: after an overflow, or a fault in the middle of an answer

Kind = Message.Kind


@dataclass(frozen=True)
class Outcome:
    """A committed step. `ended` says that the run is over with it."""

    step: Step
    results: list[Result]
    ended: bool


def run(run: Run, *, lease: Lease) -> Iterator[Outcome]:
    """Work on `run` until it ends; yields each committed step.

    Raises LLMError when the endpoint fails for good, LeaseLost when another worker took over. A press on Stop ends
    the run with what was written so far.
    """
    number = run.steps.count()
    guard = _Guard(run.max_steps)
    agent = run.agent  # as it was claimed
    while True:
        number += 1
        with marked(step=number), traces.span("step", number=number):
            outcome = _Attempt(agent, run, number, lease).take(guard)
        yield outcome
        if outcome.ended:
            return
        agent = Agent.objects.select_related("summary", "archive").get(pk=run.agent_id)


@dataclass(frozen=True)
class Stop:
    """Why a run must end although it wants another step; `alert` tells the model."""

    reason: Run.StopReason
    alert: str


class _Guard:
    """Notices a run that goes round in circles, or has had its steps."""

    def __init__(self, max_steps: int | None) -> None:
        self.max_steps = min(max_steps or settings.MAX_STEPS_PER_RUN, settings.MAX_STEPS_PER_RUN)
        self.last: object = None
        self.times = 0

    def stop(self, number: int, results: list[Result]) -> Stop | None:
        """None if the run may go on."""
        step = [(r.call and (r.call.name, r.call.arguments), r.text) for r in results]
        self.times = self.times + 1 if step == self.last else 1
        self.last = step
        if self.times >= SAME_CALLS:
            call = results[0].call
            if call is None:
                return Stop(Run.StopReason.NO_CALL, NO_CALL_STOPPED)
            return Stop(Run.StopReason.SAME_CALLS, LOOP_STOPPED.format(name=call.name))
        if number >= self.max_steps:
            return Stop(Run.StopReason.MAX_STEPS, TOO_MANY_STEPS.format(steps=number))
        return None


class _Attempt:
    """One step on its way from the prompt to the commit."""

    def __init__(self, agent: Agent, run: Run, number: int, lease: Lease) -> None:
        self.agent, self.run, self.number, self.lease = agent, run, number, lease
        self.config = config_of(agent)
        self.tools = toolset.of(agent)
        self.draft = Draft(agent.pk, run.pk, number)
        self.started = time.monotonic()
        self.context: MainContext
        self.completion: Completion

    def take(self, guard: _Guard) -> Outcome:
        """Ask and commit. Raises as `run`."""
        try:
            self._ask()
        except RunCancelled:
            return self._commit_stopped()
        outcome = self._commit(guard)
        self._count(outcome)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        step = outcome.step
        metrics.step_ended(
            model=self.config.name,
            seconds=step.latency,
            first_token=step.time_to_first_token,
            prompt=step.prompt_tokens,
            cached=step.cached_tokens,
            completion=step.completion_tokens,
        )
        known = {schema.name for schema in self.tools.schemas}
        for call, ok in ((result.call, result.ok) for result in outcome.results if result.call):
            metrics.function_called(name=call.name if call.name in known else "unknown", ok=ok)

    def _ask(self) -> None:
        """Get the model's answer. Faults in the middle of an answer and overflows are tried again, from the start."""
        for left in reversed(range(TRIES)):
            self.context = queue_manager.admit(
                self.agent, functions=self.tools.schemas, config=self.config, event=self.run.event
            )
            self.draft.open()
            try:
                self._stream()
                return
            except ContextOverflow:
                if not left or not queue_manager.flush(self.agent, self.context.messages):
                    raise
            except LLMError as error:
                if not left or not error.retryable or self.draft.empty:
                    raise
            self.draft.drop()
            self.draft = Draft(self.agent.pk, self.run.pk, self.number)

    def _stream(self) -> None:
        release_connection()  # the model may take minutes, and there are more runs than connections
        pieces = gateway.stream(self.context.prompt, self.config, check=self.lease.check)
        with traces.span("model call", model=self.config.name, prompt_tokens=self.context.prompt.tokens):
            try:
                for piece in pieces:
                    if isinstance(piece, Completion):
                        self.completion = piece
                    else:
                        self.draft.take(piece)
            finally:
                pieces.close()  # type: ignore[attr-defined]
                self.draft.flush()

    def _commit(self, guard: _Guard) -> Outcome:
        """Execute the calls and commit the step. Raises LeaseLost."""
        answer = self.completion
        with transaction.atomic():
            run = self.lease.hold()
            step = self._save_step(answer)
            results = function_executor.execute(answer, self._function_context(step), self.tools)
            replies = [result.reply for result in results if result.reply]
            calls = [_as_row(call) for call in answer.calls]
            assistant = self._message(step, Kind.ASSISTANT, content="\n\n".join(replies))
            assistant.inner_monologue, assistant.calls = answer.inner_monologue, calls[: function_executor.MOST_CALLS]
            stop = guard.stop(self.number, results) if any(r.wants_step for r in results) else None
            assistant.state = encodable_json(answer.state)
            remarks = [self._message(step, Kind.NOTICE, content=remark) for remark in answer.remarks]
            messages = [assistant, *(self._result_message(step, result) for result in results), *remarks]
            if stop:
                messages.append(self._message(step, Kind.SYSTEM_ALERT, content=stop.alert))
            queue_manager.append(self.agent, *messages)
            self._tell_of_context(messages, results)
            ended = stop is not None or not any(result.wants_step for result in results)
            if ended:
                runs.finish(run, Run.Status.DONE, stop_reason=stop.reason if stop else "")
        self.draft.drop()
        return Outcome(step, results, ended)

    def _commit_stopped(self) -> Outcome:
        """Commit what was written until somebody pressed Stop, marked as stopped."""
        parts = self.draft.parts
        with transaction.atomic():
            run = self.lease.hold()
            answer = Completion(inner_monologue=parts["thinking"], calls=(), finish_reason="stopped")
            step = self._save_step(answer)
            message = self._message(step, Kind.ASSISTANT, content=parts["reply"])
            message.inner_monologue, message.stopped = parts["thinking"].strip(), True
            queue_manager.append(self.agent, message)
            self._tell_of_context([message], [])
            runs.finish(run, Run.Status.STOPPED)
        self.draft.drop()
        return Outcome(step, [], ended=True)

    def _tell_of_context(self, added: list[Message], results: list[Result]) -> None:
        """Publish the figures of the next prompt, which the step knows: pages draw their gauge without compiling it."""
        writers = self.tools.names(Role.WRITES_CORE_MEMORY)
        core_tokens = next(s.tokens for s in self.context.prompt.sections if s.name == "core_memory")
        if any(result.ok and result.call and result.call.name in writers for result in results):
            core_tokens = core_memory_tokens(self.agent)
        gauge = queue_manager.gauge_after(self.context, self.config, added, core_tokens)
        bus.publish_on_commit(bus.agent_group(self.agent.pk), ContextChanged(gauge))

    def _save_step(self, answer: Completion) -> Step:
        prompt, usage = self.context.prompt, answer.usage or Usage()
        return Step.objects.create(
            run=self.run,
            number=self.number,
            model=answer.model or self.config.name,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            cached_tokens=usage.cached,
            time_to_first_token=answer.time_to_first_token,
            latency=time.monotonic() - self.started,
            finish_reason=answer.finish_reason[:40],
            sections=[[section.name, section.tokens] for section in prompt.sections],
            queue_start=self.agent.queue_start,
            last_seq=self.context.last_seq,
            prefix=prefix_of(self.agent, self.context),
            window=self.config.context_window,
            flush_mark=queue_manager.marks(self.config).flush,
        )

    def _function_context(self, step: Step) -> registry.Context:
        event = self.run.event
        return registry.Context(
            agent=self.agent,
            run=self.run,
            step=step,
            block_revisions={block.pk: block.revision for block in self.context.blocks},
            run_start_seq=(event and event.seq) or self.context.last_seq + 1,
            now=timezone.now(),
        )

    def _message(self, step: Step, kind: Kind, **fields: str) -> Message:
        return Message(kind=kind, run=self.run, step=step, created_at=timezone.now(), **fields)

    def _result_message(self, step: Step, result: Result) -> Message:
        content = package_result(ok=result.ok, message=result.text, time=timezone.now())
        message = self._message(step, Kind.FUNCTION_RESULT, content=content)
        message.failed = not result.ok
        if result.call:
            message.call_id, message.function = result.call.id, result.call.name[:80]
        return message


def _as_row(call: FunctionCall) -> dict[str, Any]:
    """A call as a message keeps it."""
    row: dict[str, Any] = {"id": call.id, "name": call.name, "arguments": call.arguments}
    return {**row, "extra": encodable_json(call.extra)} if call.extra else row
