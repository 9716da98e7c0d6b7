//! Encodes and decodes the messages on the bus.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_core::coordinator;
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::query::Query;
use quorate_core::value::Value;
use quorate_core::worker::{ReplyTo, WorkResult};
use quorate_runtime::wire::{decode_result, decode_task, encode_result, encode_task};

fn wire(c: &mut Criterion) {
    let request = RequestId::new("0123456789abcdef0123456789abcdef").expect("an id");
    let worker = WorkerId::new("worker-1").expect("an id");
    let task = coordinator::Task {
        id: TaskId(1),
        request: request.clone(),
        query: Query::new("BTC/USD").expect("a query"),
        ttl: Duration::from_secs(5),
        attempt: 1,
        may_be_packed: false,
        trace: None,
    };
    let result = WorkResult {
        request,
        reply: ReplyTo::Shared,
        observed: Value::number("42000.12").map_err(|error| error.to_string().into()),
        overloaded: false,
        response_time: Duration::from_millis(12),
        age: Some(Duration::from_millis(250)),
        trace: None,
    };
    let (task_bytes, result_bytes) = (encode_task(&task), encode_result(&worker, &result));

    let mut group = c.benchmark_group("wire");
    group.throughput(Throughput::Bytes(task_bytes.len() as u64));
    group.bench_function("encode task", |bencher| bencher.iter(|| encode_task(black_box(&task))));
    group.bench_function("decode task", |bencher| bencher.iter(|| decode_task(black_box(&task_bytes), None)));
    group.throughput(Throughput::Bytes(result_bytes.len() as u64));
    group.bench_function("encode result", |bencher| bencher.iter(|| encode_result(&worker, black_box(&result))));
    group.bench_function("decode result", |bencher| {
        bencher.iter(|| decode_result(black_box(&result_bytes), Some(TaskId(1)), SystemTime::UNIX_EPOCH));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = wire
}
criterion_main!(benches);
