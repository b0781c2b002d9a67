"""The table of a job's states is a machine that makes sense, and the drawing shows all of it."""

import pytest

from edworkers.core.keys import QueueKeys
from edworkers.core.lifecycle import TRANSITIONS, Move, State, diagram

KEYS = QueueKeys("ai")
TABLE = [(source, move, target) for source, move, target in TRANSITIONS]


def test_no_transition_is_there_twice() -> None:
    assert len(set(TRANSITIONS)) == len(TRANSITIONS)


def test_every_move_moves_something() -> None:
    assert {move for _, move, _ in TABLE} == set(Move)


def test_every_state_is_reached_from_nothing() -> None:
    reached: set[State | None] = {None}
    while True:
        found = {target for source, _, target in TABLE if source in reached}
        if found <= reached:
            break
        reached |= found
    assert reached == {None, *State}


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_from_every_state_that_is_not_final_a_job_can_come_to_a_final_one(state: State) -> None:
    reached: set[State | None] = {state}
    for _ in State:
        reached |= {target for source, _, target in TABLE if source in reached}
    assert State.DONE in reached


@pytest.mark.parametrize("state", [State.DONE, State.DEAD, State.CANCELLED])
def test_a_final_state_is_left_only_by_a_replay(state: State) -> None:
    assert state.is_final
    assert {move for source, move, target in TABLE if source is state and target is not None} <= {Move.REPLAY}


@pytest.mark.parametrize("state", [State.PENDING, State.INFLIGHT, State.DELAYED])
def test_a_state_that_is_not_final_is_left_by_some_move(state: State) -> None:
    assert not state.is_final
    assert any(source is state for source, _, _ in TABLE)


def test_only_dead_letters_can_be_replayed_or_dropped() -> None:
    assert {source for source, move, _ in TABLE if move in {Move.REPLAY, Move.DROP}} == {State.DEAD}


def test_only_a_claim_leads_to_a_runner() -> None:
    assert [(source, move) for source, move, target in TABLE if target is State.INFLIGHT] == [
        (State.PENDING, Move.CLAIM)
    ]


@pytest.mark.parametrize("move", [Move.RELEASE, Move.REAP])
def test_a_job_whose_runner_goes_is_neither_finished_nor_forgotten(move: Move) -> None:
    targets = {target for _, of, target in TABLE if of is move}
    assert targets <= {State.PENDING, State.DELAYED}


@pytest.mark.parametrize("state", ["pending", "inflight", "delayed", "dead"])
def test_a_state_is_named_as_the_key_in_which_its_jobs_lie(state: str) -> None:
    assert getattr(KEYS, State(state)) == f"edworkers:{{ai}}:{state}"


def test_the_drawing_has_each_transition_once_and_nothing_else() -> None:
    head, *lines = diagram().splitlines()
    assert head == "stateDiagram-v2"
    transitions = [f"    {source or '[*]'} --> {target or '[*]'}: {move}" for source, move, target in TABLE]
    assert lines == [*transitions, "    done --> [*]", "    dead --> [*]", "    cancelled --> [*]"]
