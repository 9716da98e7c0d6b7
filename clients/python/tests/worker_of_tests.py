"""A worker with one function of each kind, for test_worker.py."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from quorate.worker import Observation, Worker

name, places, *more = sys.argv[1:]
queued = next((int(word) for word in more if word.isdigit()), 0)
worker = Worker(name, max_concurrent=int(places), max_queued=queued, replicas="replica" in more)
calls = itertools.count(1)
first = iter([1])


@worker.query("BTC/USD")
async def exact() -> Decimal:
    return Decimal("42000.123456789012345678901234")


@worker.query("ETH/*")
def text(query: str) -> str:
    return f"text of {query}"


@worker.query("long")
async def long() -> str:
    return "x" * 4096


@worker.query("count")
def count() -> int:
    return next(calls)


@worker.query("once")
def once() -> int:
    return next(first)


@worker.query("aged")
def aged() -> Observation:
    return 1.5, timedelta(seconds=7)


@worker.query("dated")
async def dated() -> Observation:
    return 1.5, datetime.now(timezone.utc) - timedelta(hours=1)


@worker.query("fails", "fails too")
async def fails(query: str) -> float:
    return {"other": 1.0}[query]


@worker.query("nothing")
def nothing() -> None:
    return None


@worker.query("hangs")
async def hangs() -> float:
    await asyncio.sleep(50)
    return 1


@worker.query("blocks")
def blocks() -> float:
    time.sleep(50)
    return 1


@worker.query("slow")
async def slow() -> float:
    await asyncio.sleep(0.7)
    return 7


@worker.query("slower")
async def slower() -> float:
    await asyncio.sleep(2)
    return 8


worker.run()
