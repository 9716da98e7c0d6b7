//! What a run should reach now and then: a simulation that reaches nothing finds nothing.

use crate::Depth;
use crate::checkers::Context;
use crate::event::Event;

/// Lists the counters once: the enum, its names and its count.
macro_rules! sometimes {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Something that must happen in some run of a batch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Sometimes {
            $($(#[doc = $doc])* $name,)*
        }

        impl Sometimes {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it is about, in a few words.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

sometimes! {
    /// a late result was dropped
    LateResult,
}

impl Sometimes {
    /// Whether it can be reached at this depth at all.
    pub const fn is_possible(self, _depth: Depth) -> bool {
        true
    }
}

/// What one run reached, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached(u128);

impl Reached {
    /// Adds what was reached.
    pub fn insert(&mut self, what: Sometimes) {
        self.0 |= 1 << what as u32;
    }

    /// Whether it was reached.
    pub fn contains(self, what: Sometimes) -> bool {
        self.0 & (1 << what as u32) != 0
    }
}

/// Notes what a run reaches.
pub(crate) struct Coverage {
    reached: Reached,
}

impl Coverage {
    pub(crate) fn new(_context: &Context<'_>) -> Self {
        Self { reached: Reached::default() }
    }

    pub(crate) fn event(&mut self, _event: &Event<'_>) {}

    pub(crate) fn reached(&self) -> Reached {
        self.reached
    }
}
