"""The agent loop: compile, ask, execute, commit, until the run ends (paper section 2.4: function chaining).

Each step is one transaction: the assistant message, function results and memory writes land together or not at all,
so a run can be taken up again after any crash at the step that was not committed. Calls that reach outside the database
follow it, each with a commit of its own (`outside_calls.py`).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents import function_executor, outside_calls, queue_manager, runs
from agents.broadcast import bus
from agents.broadcast.draft import Draft
from agents.broadcast.events import ContextChanged
from agents.exceptions import ContextOverflow, LLMError, RunCancelled
from agents.function_executor import CheckedCall, Result
from agents.functions import registry, toolset
from agents.functions.toolset import Toolset
from agents.llm import gateway
from agents.llm.gateway import config_of
from agents.llm.types import Completion, FunctionCall, Role, Usage
from agents.locks import release_connection
from agents.main_context.compile import MainContext, core_memory_tokens, prefix_of
from agents.main_context.fifo_queue import result_message
from agents.models import Agent, Message, OutsideCall, Run, Step
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
    """A committed step. `ended` says that the run is over with it, or waits for a person."""

    step: Step
    results: list[Result]
    ended: bool


def run(run: Run, *, lease: Lease) -> Iterator[Outcome]:
    """Work on `run`, as it was claimed, until it ends; yields each committed step.

    Raises LLMError when the endpoint fails for good, LeaseLost when another worker took over. A press on Stop ends
    the run with what was written so far.
    """
    number = run.steps_taken
    guard = _Guard(run.max_steps)
    agent = run.agent  # as it was claimed
    if number and (left := outside_calls.left_of(run)):
        outcome = _OutsideCalls(agent, lease, toolset.of(agent), left).make(guard, number, [])
        yield outcome
        if outcome.ended:
            return
        agent = _as_it_is(agent)
    while True:
        number += 1
        with marked(step=number), traces.span("step", number=number):
            outcome = _Attempt(agent, run, number, lease).take(guard)
        yield outcome
        if outcome.ended:
            return
        agent = _as_it_is(agent)


def _as_it_is(agent: Agent) -> Agent:
    return Agent.objects.select_related("summary", "archive").get(pk=agent.pk)


@dataclass(frozen=True)
class End:
    """The end of a run. `reason`: why it had to be ended although it wanted another step; `alert` tells the model."""

    reason: str = ""
    alert: str = ""


class _Guard:
    """Notices a run that goes round in circles, or has had its steps."""

    def __init__(self, max_steps: int | None) -> None:
        self.max_steps = min(max_steps or settings.MAX_STEPS_PER_RUN, settings.MAX_STEPS_PER_RUN)
        self.last: object = None
        self.times = 0

    def end(self, number: int, results: list[Result]) -> End | None:
        """None if the run goes on after this step."""
        if not any(result.wants_step for result in results):
            return End()
        step = [(r.call and (r.call.name, r.call.arguments), r.text) for r in results]
        self.times = self.times + 1 if step == self.last else 1
        self.last = step
        if self.times >= SAME_CALLS:
            call = results[0].call
            if call is None:
                return End(Run.StopReason.NO_CALL, NO_CALL_STOPPED)
            return End(Run.StopReason.SAME_CALLS, LOOP_STOPPED.format(name=call.name))
        if number >= self.max_steps:
            return End(Run.StopReason.MAX_STEPS, TOO_MANY_STEPS.format(steps=number))
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
        checked = function_executor.check(answer, self.tools)
        with transaction.atomic():
            run = self.lease.hold()
            step = self._save_step(answer)
            results = function_executor.execute(answer, checked, self._function_context(step))
            outside = _outside(step, checked, goes_on=any(result.wants_step for result in results))
            end = None if outside else guard.end(self.number, results)
            messages = [self._assistant(step, results), *(_result_message(step, result) for result in results)]
            messages += [_message(step, Kind.NOTICE, remark) for remark in answer.remarks]
            if end and end.alert:
                messages.append(_message(step, Kind.SYSTEM_ALERT, end.alert))
            queue_manager.append(self.agent, *messages)
            self._tell_of_context(messages, results)
            if end:
                self.lease.others_wait = runs.finish(run, Run.Status.DONE, stop_reason=end.reason)
        self.draft.drop()
        if outside:
            return _OutsideCalls(self.agent, self.lease, self.tools, outside).make(guard, self.number, results)
        return Outcome(step, results, ended=end is not None)

    def _assistant(self, step: Step, results: list[Result]) -> Message:
        answer = self.completion
        message = _message(step, Kind.ASSISTANT, "\n\n".join(result.reply for result in results if result.reply))
        calls = [_as_row(call) for call in answer.calls]
        message.inner_monologue, message.calls = answer.inner_monologue, calls[: function_executor.MOST_CALLS]
        message.state = encodable_json(answer.state)
        return message

    def _commit_stopped(self) -> Outcome:
        """Commit what was written until somebody pressed Stop, marked as stopped."""
        parts = self.draft.parts
        with transaction.atomic():
            run = self.lease.hold()
            answer = Completion(inner_monologue=parts["thinking"], calls=(), finish_reason="stopped")
            step = self._save_step(answer)
            message = _message(step, Kind.ASSISTANT, parts["reply"])
            message.inner_monologue, message.stopped = parts["thinking"].strip(), True
            queue_manager.append(self.agent, message)
            self._tell_of_context([message], [])
            self.lease.others_wait = runs.finish(run, Run.Status.STOPPED)
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


class _OutsideCalls:
    """The calls of a committed step that reach outside the database, of one step."""

    def __init__(self, agent: Agent, lease: Lease, tools: Toolset, calls: list[OutsideCall]) -> None:
        self.agent, self.lease, self.tools, self.calls = agent, lease, tools, calls
        self.step = calls[0].step

    def make(self, guard: _Guard, number: int, results: list[Result]) -> Outcome:
        """Make them one after another, or wait for a person; `results` are those that the step has already.

        Raises LeaseLost.
        """
        if not self.lease.cancelled and (to_ask := outside_calls.to_ask(self.calls, self.agent)):
            return self._ask(to_ask, results)
        end = None
        for place, call in enumerate(self.calls):
            try:
                self.lease.check()
                ended = outside_calls.carry_out(call, self.agent, self.tools, self.lease)
            except RunCancelled:
                return self._stopped(self.calls[place:], results)
            asked = FunctionCall(id=call.call_id, name=call.function, arguments=call.arguments)
            results = [*results, Result(asked, ended.ok, ended.text, request_heartbeat=call.goes_on)]
            with transaction.atomic():
                run = self.lease.hold()
                messages = [outside_calls.end(call, ended)]
                end = guard.end(number, results) if call is self.calls[-1] else None
                if end and end.alert:
                    messages.append(_message(self.step, Kind.SYSTEM_ALERT, end.alert))
                self._append(messages)
                if end:
                    self.lease.others_wait = runs.finish(run, Run.Status.DONE, stop_reason=end.reason)
        return Outcome(self.step, results, ended=end is not None)

    def _ask(self, asked: list[OutsideCall], results: list[Result]) -> Outcome:
        with transaction.atomic():
            run = self.lease.hold()
            outside_calls.ask(asked)
            runs.pause(run)
        return Outcome(self.step, results, ended=True)

    def _stopped(self, left: list[OutsideCall], results: list[Result]) -> Outcome:
        with transaction.atomic():
            run = self.lease.hold()
            self._append(outside_calls.give_up(left))
            self.lease.others_wait = runs.finish(run, Run.Status.STOPPED)
        return Outcome(self.step, results, ended=True)

    def _append(self, messages: list[Message]) -> None:
        queue_manager.append(self.agent, *messages)
        bus.publish_on_commit(bus.agent_group(self.agent.pk), ContextChanged())


def _outside(step: Step, checked: list[CheckedCall], *, goes_on: bool) -> list[OutsideCall]:
    """The calls of an answer that wait for its commit, written down. `goes_on`: another step was asked for besides."""
    calls = [
        OutsideCall(
            step=step,
            position=position,
            call_id=one.call.id,
            function=one.call.name,
            arguments=json.dumps(one.valid.arguments),
            goes_on=goes_on or one.valid.request_heartbeat,
        )
        for position, one in enumerate(checked)
        if one.is_outside and one.valid
    ]
    return OutsideCall.objects.bulk_create(calls) if calls else []


def _message(step: Step, kind: Kind, content: str) -> Message:
    return Message(kind=kind, run_id=step.run_id, step=step, created_at=timezone.now(), content=content)


def _result_message(step: Step, result: Result) -> Message:
    name, call_id = (result.call.name, result.call.id) if result.call else ("", "")
    return result_message(step, ok=result.ok, text=result.text, name=name, call_id=call_id)


def _as_row(call: FunctionCall) -> dict[str, Any]:
    """A call as a message keeps it."""
    row: dict[str, Any] = {"id": call.id, "name": call.name, "arguments": call.arguments}
    return {**row, "extra": encodable_json(call.extra)} if call.extra else row
