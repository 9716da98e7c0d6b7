//! Ends the program when a run hangs: nothing else can stop a machine that never settles.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use quorate_sim::Depth;

use super::depth_name;

/// How long a run may take in real time: some hundred times as long as the longest runs.
const LIMIT: Duration = Duration::from_mins(1);
/// The interval between checks.
const PERIOD: Duration = Duration::from_millis(500);

/// The runs in progress.
static RUNS: Mutex<Runs> = Mutex::new(Runs { last: 0, runs: BTreeMap::new() });

/// The seed, the depth and the beginning of each run, by a number that is unique to it.
struct Runs {
    last: u64,
    runs: BTreeMap<u64, (u64, Depth, Instant)>,
}

/// A run in progress, until this is dropped.
#[derive(Debug)]
pub(super) struct Watched(u64);

/// Watches a run that begins now.
pub(super) fn watch(seed: u64, depth: Depth) -> Watched {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(thread::spawn(patrol)));
    let mut runs = lock();
    runs.last += 1;
    let number = runs.last;
    runs.runs.insert(number, (seed, depth, Instant::now()));
    Watched(number)
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock().runs.remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, Runs> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn patrol() {
    loop {
        thread::sleep(PERIOD);
        let endless = lock().runs.values().find(|(_, _, began)| began.elapsed() > LIMIT).copied();
        if let Some((seed, depth, _)) = endless {
            let depth = depth_name(depth);
            println!("FAILED seed {seed}: hang");
            println!("  it has not ended after {} s of real time; the remaining seeds are not played", LIMIT.as_secs());
            println!("  cargo run --release -p quorate-sim -- run --seed {seed} --depth {depth}");
            std::process::exit(1);
        }
    }
}
