//! The benchmarks are in `benches/`; there is nothing here that anybody could use.
