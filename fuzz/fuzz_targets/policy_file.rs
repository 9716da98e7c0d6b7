#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quorate_testing::fuzz::policy_file(data));
