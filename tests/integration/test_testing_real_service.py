"""A handler that asks a real server, in a queue in memory: only what is real takes its time."""

from edworkers.core.lifecycle import State
from edworkers.core.settings import Window
from edworkers.handlers import ai
from edworkers.standins.gemini import GeminiStandin
from edworkers.testing import Workers


async def test_the_ai_queue_answers_by_the_real_client_library(edworkers_workers: Workers) -> None:
    limit = Window(name="minute", limit=2, window="minute")
    pool = ai.MODULE.pool.model_copy(update={"limits": (limit,)})
    async with GeminiStandin.serve() as standin:
        env = {"GEMINI_API_KEY": "any-key", "GEMINI_BASE_URL": standin.url}
        edworkers_workers.serve(ai.MODULE, pool=pool, env=env)
        for name in ("a", "b", "c"):
            data = {"conversationId": "c1", "userId": "u1", "prompt": "What is a prime number?"}
            edworkers_workers.push("ai", {"id": name, "data": {**data, "webhookUrl": "https://example.com/"}})
        await edworkers_workers.drain()
    records = [edworkers_workers.record(name) for name in ("a", "b", "c")]
    assert [(record.state, record.attempts) for record in records] == [(State.DONE, 1)] * 3
    assert all("prime number" in record.result["text"] for record in records)
    assert len(edworkers_workers.waiting("webhook")) == 3
    assert edworkers_workers.clock.monotonic() >= 60
