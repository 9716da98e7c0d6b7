//! The comparison of `make bench-baseline` runs, for a moment and without a claim, so that it cannot rot.

use std::path::Path;
use std::process::Command;

#[test]
fn every_pairing_is_measured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let programs = Path::new(env!("CARGO_BIN_EXE_quorate-baseline")).parent().expect("a folder");
    assert!(programs.join("coordinator").exists(), "build all programs first: cargo build --workspace");
    let ran = Command::new("python3")
        .arg(root.join("scripts/bench-baseline.py"))
        .args(["--rounds", "1", "--seconds", "0.3", "--connections", "1", "8", "--programs"])
        .arg(programs)
        .output()
        .expect("python3 is installed");
    let (table, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{table}{errors}");
    for pairing in ["all bare", "all ours", "our coordinator", "our workers", "bare, packed"] {
        let row = format!("\n| {pairing} | ");
        assert_eq!(table.matches(&row).count(), 2, "{pairing} in {table}");
    }
}
