"""Queues of the server."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request

from quickstudy.serving.work import Work


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
