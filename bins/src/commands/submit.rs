//! `quorate submit` and `quorate result`: a question that outlives its caller, and its outcome.

use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use super::{client, print, tell};
use crate::args::{ResultArgs, SubmitArgs};
use crate::exit::Shown;
use crate::render::{self, Digits, clean};

/// Leaves a question with a coordinator, and shows its id.
///
/// # Errors
/// The question is not accepted.
pub async fn submit(args: SubmitArgs) -> anyhow::Result<()> {
    let client = client(&args.server.url)?;
    let left = client.submit(args.rule.ask(args.query, args.id.as_ref())).await?;
    if args.server.output.json {
        return print(&render::json(&left.json));
    }
    let next = if left.state == "done" { "its outcome" } else { "its outcome will be" };
    print(&clean(&format!("{} is {}; {next}: quorate result {}", left.id, left.state, quoted(&left.id))))
}

/// Shows the outcome of a question as `quorate ask` does.
///
/// # Errors
/// There is no such question, it has no outcome yet, it ended with an error, or with a disputed answer if the user wants
/// none; [`Shown`] if that was shown already.
pub async fn result(args: ResultArgs) -> anyhow::Result<()> {
    let client = client(&args.server.url)?;
    let (id, json) = (args.id.as_str(), args.server.output.json);
    let wait = if args.wait { Duration::MAX } else { Duration::ZERO };
    let answered = match client.result(id, wait).await {
        Ok(None) if json => {
            print(&serde_json::to_string(&Open { id, state: "open" })?)?;
            bail!(Shown(anyhow::anyhow!("it is open")));
        }
        Ok(None) => bail!("{id} has no outcome yet; wait for it with: quorate result {} --wait", quoted(id)),
        Ok(Some(outcome)) => Ok(outcome),
        Err(error) => Err(error),
    };
    tell(id, answered, json, Digits::exact(args.numbers.exact), args.fail_on_dispute)
}

/// A question without an outcome.
#[derive(Serialize)]
struct Open<'a> {
    id: &'a str,
    state: &'static str,
}

/// An id as one word of a shell.
fn quoted(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if id.bytes().all(is_plain) { id.to_owned() } else { format!("'{}'", id.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_word_of_a_shell() {
        for (id, word) in [("order-7/1", "order-7/1"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'")] {
            assert_eq!(quoted(id), word);
        }
    }
}
