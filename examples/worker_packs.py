# examples/worker.py with packs of tasks, which spare most messages under load. Needs: pip install nats-py
# Run: python3 examples/worker_packs.py my-worker nats://localhost:4222
import asyncio, json, os, signal, sys, time
import nats


def observe(query):
    """The value: a number or a string. Put your own source here; an exception becomes the worker's `err`."""
    return {"BTC/USD": 42000.5, "ETH/USD": "2500.10"}[query]


async def main(worker_id="python-1", url=os.environ.get("NATS_URL", "nats://localhost:4222")):
    loop, answers = asyncio.get_running_loop(), {}  # The last answers: a redispatched task receives the same again.
    stop, denied = loop.create_future(), set()

    async def failed(error):  # NATS may not let the worker receive packs.
        print(error, file=sys.stderr)
        if '"oracle.tasks.packed"' in str(error): denied.add("packs")

    connection = await nats.connect(url.split(","), max_reconnect_attempts=-1, error_cb=failed)
    async def publish(subject, **body):
        await connection.publish(subject, json.dumps(body).encode())

    def result(task):
        start = time.monotonic_ns()
        if (key := (task["id"], task["query"])) not in answers:
            try: observed = {"value": observe(task["query"])}
            except Exception as error: observed = {"err": repr(error)}
            answers[key] = start, {**observed, "response_time": time.monotonic_ns() - start}
            if len(answers) > 10000: answers.pop(next(iter(answers)))
        read, result = answers[key]
        return {"worker_id": worker_id, "request_id": task["id"], "age_ms": (start - read) // 10**6, **result}

    async def answer(msg): await publish(msg.reply or "oracle.results", **result(json.loads(msg.data)))

    async def answer_pack(msg):
        pack, results = json.loads(msg.data), []
        for task in pack["tasks"][:1024]:
            try: results.append(result(task) | {name: task[name] for name in ("task", "traceparent") if name in task})
            except (KeyError, TypeError) as error: print("no task in a pack:", repr(error), file=sys.stderr)
        await send(pack.get("reply") or msg.reply, results)

    async def send(subject, results):
        if len(results) > 1 and len(json.dumps({"results": results})) > 65536:  # One message has at most 64 KiB.
            for half in (results[: len(results) // 2], results[len(results) // 2 :]): await send(subject, half)
        elif results: await publish(subject, results=results)

    for number in (signal.SIGINT, signal.SIGTERM): loop.add_signal_handler(number, stop.cancel)
    callbacks = {"oracle.tasks": answer, "oracle.tasks.packed": answer_pack}
    subscriptions = [await connection.subscribe(subject, cb=callback) for subject, callback in callbacks.items()]
    for _ in range(2): await connection.flush()  # NATS has denied what it denies by then: one ping may overtake.
    while not stop.done():
        await publish("oracle.workers", worker_id=worker_id, state="live", packs=not denied)
        await asyncio.wait([stop], timeout=2)
    for subscription in subscriptions: await subscription.drain()
    await publish("oracle.workers", worker_id=worker_id, state="left")
    await connection.drain()

asyncio.run(main(*sys.argv[1:]))
