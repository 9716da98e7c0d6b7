//! What people see: answers, workers and measurements as aligned plain text.

mod answer;
mod load;
mod paint;
mod table;
mod text;
mod workers;

pub use answer::{answer, refusal, summary};
pub use load::load;
pub use paint::{Paint, Tone};
pub use table::{Align, Cell, Table};
pub use text::{clean, json, time};
pub use workers::workers;
