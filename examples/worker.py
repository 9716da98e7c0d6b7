# A Quorate worker in Python, over NATS. Needs: pip install nats-py
# Run: python3 examples/worker.py my-worker nats://localhost:4222
import asyncio, json, os, signal, sys, time
import nats


def observe(query):
    """The value: a number or a string. Put your own source here; an exception becomes the worker's `err`."""
    return {"BTC/USD": 42000.5, "ETH/USD": "2500.10"}[query]


async def main(worker_id="python-1", url=os.environ.get("NATS_URL", "nats://localhost:4222")):
    connection = await nats.connect(url.split(","), max_reconnect_attempts=-1)
    loop, answers = asyncio.get_running_loop(), {}  # The last answers: a redispatched task receives the same again.
    stop = loop.create_future()

    async def publish(subject, **body):
        await connection.publish(subject, json.dumps({"worker_id": worker_id, **body}).encode())

    async def answer(msg):
        task, start = json.loads(msg.data), time.monotonic_ns()
        if (key := (task["id"], task["query"])) not in answers:
            try: observed = {"value": observe(task["query"])}
            except Exception as error: observed = {"err": repr(error)}
            answers[key] = start, {**observed, "response_time": time.monotonic_ns() - start}
            if len(answers) > 1000: answers.pop(next(iter(answers)))
        read, result = answers[key]
        await publish(msg.reply or "oracle.results", request_id=task["id"], age_ms=(start - read) // 10**6, **result)

    for number in (signal.SIGINT, signal.SIGTERM): loop.add_signal_handler(number, stop.cancel)
    tasks = await connection.subscribe("oracle.tasks", cb=answer)
    while not stop.done():
        await publish("oracle.workers", state="live")
        await asyncio.wait([stop], timeout=2)
    await tasks.drain()
    await publish("oracle.workers", state="left")
    await connection.drain()

asyncio.run(main(*sys.argv[1:]))
