//! The queries that workers offer.

use super::{Align, Paint, Table};
use quorate_client::body::Queries;

/// A line for each query, or pattern of queries, with the number of workers that offer it.
pub fn queries(offered: &Queries, paint: Paint) -> String {
    if offered.queries.is_empty() {
        return "No live worker offers a query. Start one with: worker\n".to_owned();
    }
    let mut table = Table::new([("query", Align::Left), ("workers", Align::Right)]);
    for query in &offered.queries {
        table.row([(&query.query).into(), query.workers.to_string().into()]);
    }
    table.draw(paint)
}

#[cfg(test)]
mod tests {
    use quorate_client::Body as _;

    use super::*;

    #[test]
    fn each_query_is_a_line_with_its_workers() {
        let json = r#"{"queries": [{"query": "BTC/*", "workers": 3}, {"query": "block\nlatest", "workers": 12}]}"#;
        let expected = "\
\x20 query             workers
  BTC/*                   3
  block\\u{a}latest       12
";
        assert_eq!(queries(&Queries::read(json).expect("queries"), Paint::Off), expected);
    }

    #[test]
    fn without_queries_it_says_how_to_start_a_worker() {
        let none = Queries::read(r#"{"queries": []}"#).expect("queries");
        assert_eq!(queries(&none, Paint::Off), "No live worker offers a query. Start one with: worker\n");
    }
}
