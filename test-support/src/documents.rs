//! The documents as tests read them: the list of them, their fenced blocks, and the commands in the blocks.

use std::fs;
use std::mem::take;
use std::path::PathBuf;

use crate::workspace;

/// A fenced block of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What follows the opening fence, such as `sh`.
    pub fence: String,
    /// The lines between the fences, each with its end.
    pub text: String,
}

/// The READMEs, what contributors read, and everything in `docs`, in the order of their names.
///
/// # Panics
/// If a folder cannot be read.
pub fn documents() -> Vec<PathBuf> {
    let mut documents = ["CONTRIBUTING.md", "README.md", "SECURITY.md"].map(workspace).to_vec();
    for folder in ["clients/python", "clients/rust", "clients/typescript", "docs", "docs/adr"] {
        let entries = fs::read_dir(workspace(folder)).expect("the folder exists");
        documents.extend(entries.map(|entry| entry.expect("it can be read").path()));
    }
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.sort();
    documents
}

/// The fenced blocks of a document.
///
/// # Panics
/// If a block is not closed.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in document.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(fence), None) => open = Some(Block { fence: fence.to_owned(), text: String::new() }),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A document without its fenced blocks.
pub fn prose(document: &str) -> String {
    document.split("```").step_by(2).collect()
}

/// The commands in the text of a shell block, without comments. A command continues on the next line within quotes,
/// after a backslash, and until the end of its here-document.
///
/// # Panics
/// If the last command does not end.
pub fn commands(shell: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let (mut command, mut quote) = (String::new(), None);
    let mut lines = shell.lines();
    while let Some(line) = lines.next() {
        let mut goes_on = false;
        let mut chars = line.chars();
        let mut before = ' ';
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, '#') if before.is_whitespace() => break,
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                _ => {}
            }
            command.push(c);
            before = c;
            if c == '\\' && quote != Some('\'') {
                let escaped = chars.next();
                goes_on = escaped.is_none();
                command.extend(escaped);
            }
        }
        if goes_on || quote.is_some() {
            command.push('\n');
            continue;
        }
        if let Some(end) = here_document(&command) {
            loop {
                let line = lines.next().expect("a here-document ends");
                command.extend(["\n", line]);
                if line == end {
                    break;
                }
            }
        }
        let whole = take(&mut command);
        commands.extend(Some(whole.trim().to_owned()).filter(|whole| !whole.is_empty()));
    }
    assert!(command.is_empty(), "{command:?} does not end");
    commands
}

/// The line that ends the here-document of a command, which is quoted so that nothing is expanded in it.
fn here_document(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("<<'")?;
    rest.split_once('\'').map(|(end, _)| end.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_from_the_prose_around_them() {
        let document = "One.\n\n```sh\nls\n```\nTwo.\n\n  ```\na\n\nb\n  ```\nThree.\n";
        let block = |fence: &str, text: &str| Block { fence: fence.to_owned(), text: text.to_owned() };
        assert_eq!(blocks(document), [block("sh", "ls\n"), block("", "a\n\nb\n")]);
        assert_eq!(prose(document), "One.\n\n\nTwo.\n\n  \nThree.\n");
    }

    #[test]
    #[should_panic(expected = "a block is not closed")]
    fn a_block_that_is_not_closed_is_noticed() {
        blocks("```sh\nls\n");
    }

    #[test]
    fn commands_end_where_a_shell_ends_them() {
        for (shell, expected) in [
            ("a b\n\nc   # says why\n# only says why\n", &["a b", "c"][..]),
            ("curl localhost/#top '# no comment' \"#\"\n", &["curl localhost/#top '# no comment' \"#\""]),
            ("a '{\n  \"b\": 1\n}'\nc\n", &["a '{\n  \"b\": 1\n}'", "c"]),
            ("a \\\n  --b   # why\nc\n", &["a \\\n  --b", "c"]),
            ("a \"it's \\\" one\"\nb '\\'\nc\n", &["a \"it's \\\" one\"", "b '\\'", "c"]),
            ("cat > f <<'END'\n# it's kept\n\nEND\nb\n", &["cat > f <<'END'\n# it's kept\n\nEND", "b"]),
        ] {
            assert_eq!(commands(shell), expected, "{shell}");
        }
    }

    #[test]
    #[should_panic(expected = "does not end")]
    fn a_command_that_does_not_end_is_noticed() {
        commands("a 'b\n");
    }

    #[test]
    fn all_documents_are_found() {
        let documents = documents();
        for name in ["CONTRIBUTING.md", "README.md", "docs/operations.md", "docs/adr/0004-own-accept-loop.md"] {
            assert!(documents.contains(&workspace(name)), "{name} is not among {documents:?}");
        }
    }
}
