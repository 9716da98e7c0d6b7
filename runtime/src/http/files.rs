//! Files that are part of the program, for its pages. They are served unchanged, and only to clients that lack them.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use utoipa::IntoResponses;
use utoipa::openapi::Content;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::answers::{Answers, file, success};

/// A page may run and load only its own files, and nobody may frame it. So what a worker says can't become more than
/// text, even if the page has a fault.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file that is part of the program.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) media_type: &'static str,
    pub(super) content: &'static str,
}

/// The files of the folder of the calling module, by their paths.
macro_rules! files {
    ($($path:literal, $name:literal, $media_type:literal;)*) => {
        [$($crate::http::files::File { path: $path, media_type: $media_type, content: include_str!($name) }),*]
    };
}
pub(super) use files;

/// Routes for files that only pages load. The API's document describes the pages, not these.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(files: &[File]) -> Router<S> {
    files.iter().fold(Router::new(), |router, &file| {
        router.route(file.path, get(move |headers: HeaderMap| async move { file.response(&headers) }))
    })
}

impl File {
    /// The file, or the notice that the client has it. A client asks each time, so that a page never mixes versions.
    pub(super) fn response(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let head: [(HeaderName, HeaderValue); 6] = [
            (CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (ETAG, HeaderValue::try_from(&tag).expect("hexadecimal digits in quotes are a header's value")),
        ];
        if is_known(headers, &tag) {
            (StatusCode::NOT_MODIFIED, head).into_response()
        } else {
            (head, self.content).into_response()
        }
    }

    /// The entity tag, which tells this content from that of another version: its FNV-1a hash.
    pub(super) fn tag(&self) -> String {
        let hash = self
            .content
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("\"{hash:016x}\"")
    }
}

/// Whether the client says that it has the version that an entity tag names, by RFC 9110's weak comparison.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|given| given.to_str().ok());
    given.flat_map(|given| given.split(',')).map(str::trim).any(|known| known == "*" || opaque(known) == opaque(tag))
}

/// The responses of a page.
pub(super) struct AnsweringPage;

impl IntoResponses for AnsweringPage {
    fn responses() -> Answers {
        let page = Content::new(Some(ObjectBuilder::new().schema_type(Type::String)));
        file(success("The page.", "text/html; charset=utf-8", page))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::{dashboard, docs};

    /// The pages: their folder, and every file that is served for them.
    fn pages() -> [(&'static str, Vec<File>); 2] {
        [
            ("dashboard", [&[dashboard::PAGE], &dashboard::FILES[..]].concat()),
            ("docs", [&[docs::PAGE], &docs::FILES[..]].concat()),
        ]
    }

    #[test]
    fn every_file_of_a_page_is_served_and_only_served_files_are_named() {
        let pages = pages();
        let served: BTreeSet<_> = pages.iter().flat_map(|(_, files)| files).map(|file| file.path).collect();
        for (folder, files) in &pages {
            let on_disk = std::fs::read_dir(format!("{}/src/http/{folder}", env!("CARGO_MANIFEST_DIR")));
            let on_disk = on_disk.expect("the folder exists").map(|entry| entry.expect("it can be read").path());
            let on_disk = on_disk.filter(|path| path.extension().is_none_or(|extension| extension != "rs"));
            let on_disk = on_disk.map(|path| path.file_name().expect("a name").to_str().expect("ASCII").to_owned());
            let names = files[1..].iter().map(|file| file.path.rsplit('/').next().expect("a part"));
            let names: BTreeSet<_> = names.chain(["index.html"]).map(str::to_owned).collect();
            assert_eq!(names, on_disk.collect());
            for file in files {
                let imported = named(file.content, "from \"./").map(|name| format!("/{folder}/{name}"));
                let shared = named(file.content, "from \"../").map(|path| format!("/{path}"));
                let linked = ["href=\"", "src=\""].into_iter().flat_map(|mark| named(file.content, mark));
                let linked = linked.filter(|path| path.contains('/')).map(|path| format!("/{path}"));
                for path in imported.chain(shared).chain(linked) {
                    assert!(served.contains(&*path), "{} names {path}", file.path);
                }
            }
        }
    }

    /// The text between each `mark` and the next quote.
    fn named<'a>(content: &'a str, mark: &str) -> impl Iterator<Item = &'a str> {
        content.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_page_loads_nothing_from_elsewhere_and_has_no_inline_code() {
        for file in pages().iter().flat_map(|(_, files)| files) {
            let addresses = file.content.matches("http://").count() + file.content.matches("https://").count();
            let namespaces = file.content.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(addresses, namespaces, "{}", file.path);
            for inline in ["innerHTML", "insertAdjacent", "document.write", "eval(", " style=", " onclick=", "<style"] {
                assert!(!file.content.contains(inline), "{} has {inline}", file.path);
            }
        }
    }

    #[test]
    fn a_file_that_the_client_has_is_not_sent_again() {
        let [file, other] = [dashboard::PAGE, dashboard::FILES[0]];
        let mut headers = HeaderMap::new();
        assert_eq!(file.response(&headers).status(), StatusCode::OK);
        headers.insert(IF_NONE_MATCH, HeaderValue::try_from(format!("\"x\", {}", file.tag())).expect("a header"));
        assert_eq!(file.response(&headers).status(), StatusCode::NOT_MODIFIED);
        headers.insert(IF_NONE_MATCH, HeaderValue::try_from(other.tag()).expect("a header"));
        assert_eq!(file.response(&headers).status(), StatusCode::OK);
    }
}
