//! The strategies, as they are registered and chosen by name.

use std::fmt;
use std::str::FromStr;

use super::combine::Combine;

macro_rules! strategies {
    ($($(#[$documentation:meta])* $variant:ident = $implementation:expr,)+) => {
        /// How the values become one.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Strategy {
            $($(#[$documentation])* $variant,)+
        }

        impl Strategy {
            /// Every strategy.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub(super) fn implementation(self) -> &'static dyn Combine {
                match self {
                    $(Self::$variant => &$implementation,)+
                }
            }
        }
    };
}

// One line per strategy, and one in `mod.rs` for its file.
strategies! {
    /// The exact sum over the count; if no decimal can hold that, rounded half-even to 28 significant digits.
    #[default]
    Average = super::average::Average,
    /// The middle value; of an even count, the exact mean of the two middle ones.
    Median = super::median::Median,
    /// The most frequent value, numbers rounded to [`Rule::precision`](super::Rule::precision) decimals, texts compared
    /// exactly.
    Majority = super::majority::Majority,
    /// The value in the middle of the workers' weights; if the middle falls between two, their exact mean.
    WeightedMedian = super::weighted_median::WeightedMedian,
    /// The mean without the lowest and the highest [`Rule::trim_share`](super::Rule::trim_share).
    TrimmedMean = super::trimmed_mean::TrimmedMean,
    /// The smallest value.
    Min = super::min::Min,
    /// The largest value.
    Max = super::max::Max,
}

impl Strategy {
    /// The strategy's name in requests, configuration and answers.
    pub fn name(self) -> &'static str {
        self.implementation().name()
    }

    /// Whether texts count as they are, and not only those that spell a number.
    pub fn takes_texts(self) -> bool {
        self.implementation().takes_texts()
    }

    /// Whether workers' weights make a difference.
    pub fn uses_weights(self) -> bool {
        self.implementation().uses_weights()
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStrategy;

impl std::error::Error for UnknownStrategy {}

impl fmt::Display for UnknownStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strategy must be one of ")?;
        for (place, strategy) in Strategy::ALL.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{strategy}")?;
        }
        Ok(())
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL.iter().copied().find(|strategy| strategy.name() == name).ok_or(UnknownStrategy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_have_names_that_read_back() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse(), Ok(*strategy));
        }
        assert_eq!("mode".parse::<Strategy>(), Err(UnknownStrategy));
        assert_eq!(
            UnknownStrategy.to_string(),
            "strategy must be one of average, median, majority, weighted_median, trimmed_mean, min, max"
        );
    }
}
