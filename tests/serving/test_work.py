"""Queues of the server."""

import asyncio
import warnings

import pytest
from starlette.requests import ClientDisconnect, Request

from quickstudy.errors import ClassifierWarning
from quickstudy.serving.work import Work, noted_warnings


def request(*messages):
    """A request whose client sends some messages and is then silent."""
    left = list(messages)

    async def receive():
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return Request({"type": "http", "headers": []}, receive)


def test_a_request_whose_client_is_gone_is_not_worked_on():
    done = []

    async def ask():
        work = Work()
        try:
            await work.learn(lambda: done.append("waits"), request())
            with pytest.raises(ClientDisconnect):
                await work.learn(lambda: done.append("gone"), request({"type": "http.disconnect"}))
        finally:
            work.close()

    asyncio.run(ask())
    assert done == ["waits"]


def test_there_are_new_threads_after_the_end():
    async def ask(work):
        try:
            return (await work.answer(lambda: 1))[0] + (await work.learn(lambda: 2))[0]
        finally:
            work.close()

    work = Work()
    assert [asyncio.run(ask(work)) for _ in range(2)] == [3, 3]


def test_one_function_after_another_in_the_order_of_arrival():
    done = []

    async def ask():
        work = Work()
        try:
            await asyncio.gather(*(work.answer(lambda i=i: done.append(i)) for i in range(20)))
        finally:
            work.close()

    asyncio.run(ask())
    assert done == list(range(20))


def together(function, values, gone=()):
    """The outcome of each value; all wait at once, behind a function that has begun."""

    async def ask():
        work = Work()
        try:
            first = asyncio.create_task(work.answer(lambda: None))
            await asyncio.sleep(0)
            several = (
                work.answer_together(
                    "key", value, function, request({"type": "http.disconnect"}) if value in gone else None
                )
                for value in values
            )
            outcomes = await asyncio.gather(*several, return_exceptions=True)
            await first
            return outcomes
        finally:
            work.close()

    return asyncio.run(ask())


def test_values_that_wait_under_one_key_are_one_call():
    calls = []

    def double(values):
        calls.append(list(values))
        return [2 * value for value in values]

    assert together(double, range(5)) == [(2 * value, []) for value in range(5)]
    assert calls == [[0, 1, 2, 3, 4]]


def test_values_of_different_keys_are_not_mixed():
    calls = []

    async def ask():
        work = Work()
        try:
            await asyncio.gather(
                *(work.answer_together(i % 2, i, lambda values: calls.append(set(values)) or values) for i in range(6))
            )
        finally:
            work.close()

    asyncio.run(ask())
    assert calls == [{0, 2, 4}, {1, 3, 5}]


def test_a_warning_and_an_error_reach_only_who_asked():
    def root(values):
        for value in values:
            if value == 0:
                warnings.warn("zero is doubtful", stacklevel=1)
            if value < 0:
                raise ValueError(f"{value} has no root")
        return [value**0.5 for value in values]

    with noted_warnings():
        good, doubtful, bad, last = together(root, [4, 0, -1, 9])
    assert (good, doubtful, last) == ((2, []), (0, ["zero is doubtful"]), (3, []))
    assert isinstance(bad, ValueError)


def test_a_warning_about_the_classifier_reaches_all_and_the_call_is_not_repeated():
    calls = []

    def answer(values):
        calls.append(list(values))
        warnings.warn("few examples", ClassifierWarning, stacklevel=1)
        return values

    with noted_warnings():
        assert together(answer, [1, 2]) == [(1, ["few examples"]), (2, ["few examples"])]
    assert calls == [[1, 2]]


def test_a_value_whose_client_is_gone_is_not_worked_on():
    calls = []
    outcomes = together(lambda values: calls.append(list(values)) or values, [1, 2, 3], gone=[1])
    assert isinstance(outcomes[0], ClientDisconnect)
    assert outcomes[1:] == [(2, []), (3, [])]
    assert calls == [[2, 3]]


def test_the_others_are_answered_if_the_first_does_not_wait_any_more():
    async def ask():
        work = Work()
        try:
            first = asyncio.create_task(work.answer_together("key", 1, list))
            second = asyncio.create_task(work.answer_together("key", 2, list))
            await asyncio.sleep(0)
            first.cancel()
            return await second
        finally:
            work.close()

    assert asyncio.run(ask()) == (2, [])
