# A Quorate worker in Python, over NATS. Needs: pip install nats-py
# Run: python3 examples/worker.py my-worker nats://localhost:4222
import asyncio, json, os, sys, time
import nats


def observe(query):
    """The value: a number or a string. Put your own source here; an exception becomes the worker's `err`."""
    return {"BTC/USD": 42000.5, "ETH/USD": "2500.10"}[query]


async def main(worker_id="python-1", url=os.environ.get("NATS_URL", "nats://localhost:4222")):
    connection = await nats.connect(url.split(","), max_reconnect_attempts=-1)
    async for message in (await connection.subscribe("oracle.tasks")).messages:
        task, start = json.loads(message.data), time.monotonic_ns()
        result = {"worker_id": worker_id, "request_id": task["id"]}
        try:
            result["value"] = observe(task["query"])
        except Exception as error:
            result["err"] = repr(error)
        result["response_time"] = time.monotonic_ns() - start
        await connection.publish(message.reply or "oracle.results", json.dumps(result).encode())

asyncio.run(main(*sys.argv[1:]))
