//! The document, against what is served and what else describes it.

use std::collections::BTreeSet;
use std::fs;

use quorate_core::policy::{Limits, Policy};
use quorate_testing::{Schema, workspace};
use serde_json::{Map, Value as Json, json};

use super::DOCUMENT;
use crate::http::Question;

/// Set, the test of the copy renews it instead.
const RENEW: &str = "QUORATE_RENEW_OPENAPI";

fn document() -> Json {
    serde_json::from_str(&DOCUMENT).expect("the document is JSON")
}

#[test]
fn the_copy_in_docs_is_the_document() {
    let path = workspace("docs/openapi.json");
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, &*DOCUMENT).expect("docs can be written to");
    }
    let copy = fs::read_to_string(path).unwrap_or_default();
    assert!(copy == *DOCUMENT, "docs/openapi.json is stale; this renews it: make openapi");
}
