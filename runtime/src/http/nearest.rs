//! The names that resemble a wrong one most, for errors.

/// The most names that are compared.
const COMPARED: usize = 256;
/// The characters of a name that are compared: enough to tell names apart, few enough to be quick.
const COMPARED_CHARS: usize = 64;
/// The similarity, 0 to 1, from which a name may be what was meant.
const NEAR: f64 = 0.75;

/// The names, the most similar to `wrong` first.
pub(super) fn by_similarity<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    ranked(wrong, names).into_iter().map(|(_, name)| name).collect()
}

/// The names that may be meant by `wrong`, the most similar first.
pub(super) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    ranked(wrong, names).into_iter().take_while(|(similarity, _)| *similarity >= NEAR).map(|(_, name)| name).collect()
}

fn ranked<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<(f64, &'a str)> {
    let cut = |text: &str| text.chars().take(COMPARED_CHARS).collect::<String>().to_lowercase();
    let wrong = cut(wrong);
    let mut ranked: Vec<_> =
        names.take(COMPARED).map(|name| (strsim::jaro_winkler(&wrong, &cut(name)), name)).collect();
    ranked.sort_by(|(one, a), (other, b)| other.total_cmp(one).then_with(|| a.cmp(b)));
    ranked
}
