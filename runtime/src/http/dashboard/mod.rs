//! `GET /`: the dashboard, a page that lies within the program and needs nothing but this API.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Nothing runs and nothing is loaded but the page's own files, and nobody frames it: what a worker says can't become
/// more than text, even if the page had a fault.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
#[derive(Clone, Copy, Debug)]
struct File {
    path: &'static str,
    media_type: &'static str,
    content: &'static str,
}

macro_rules! files {
    ($($path:literal, $name:literal, $media_type:literal;)*) => {
        [$(File { path: $path, media_type: $media_type, content: include_str!($name) }),*]
    };
}

const FILES: [File; 16] = files! {
    "/", "index.html", "text/html; charset=utf-8";
    "/dashboard/answer.js", "answer.js", "text/javascript; charset=utf-8";
    "/dashboard/ask.js", "ask.js", "text/javascript; charset=utf-8";
    "/dashboard/badges.js", "badges.js", "text/javascript; charset=utf-8";
    "/dashboard/chart.js", "chart.js", "text/javascript; charset=utf-8";
    "/dashboard/dom.js", "dom.js", "text/javascript; charset=utf-8";
    "/dashboard/exact.js", "exact.js", "text/javascript; charset=utf-8";
    "/dashboard/format.js", "format.js", "text/javascript; charset=utf-8";
    "/dashboard/icon.svg", "icon.svg", "image/svg+xml";
    "/dashboard/main.js", "main.js", "text/javascript; charset=utf-8";
    "/dashboard/outcomes.js", "outcomes.js", "text/javascript; charset=utf-8";
    "/dashboard/scale.js", "scale.js", "text/javascript; charset=utf-8";
    "/dashboard/series.js", "series.js", "text/javascript; charset=utf-8";
    "/dashboard/stream.js", "stream.js", "text/javascript; charset=utf-8";
    "/dashboard/style.css", "style.css", "text/css; charset=utf-8";
    "/dashboard/workers.js", "workers.js", "text/javascript; charset=utf-8";
};

/// The routes of the page and its files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.into_iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(move |headers: HeaderMap| async move { file.response(&headers) }))
    })
}

impl File {
    /// The file, or that the client has it. It is asked for each time, so that a page never mixes two versions.
    fn response(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let head: [(HeaderName, HeaderValue); 6] = [
            (CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (ETAG, tag.clone()),
        ];
        if headers.get_all(IF_NONE_MATCH).iter().any(|known| known == tag) {
            (StatusCode::NOT_MODIFIED, head).into_response()
        } else {
            (head, self.content).into_response()
        }
    }

    /// Tells this content from that of another version: its FNV-1a hash.
    fn tag(&self) -> HeaderValue {
        let hash = self
            .content
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("\"{hash:016x}\"").parse().expect("hexadecimal digits in quotes are a header's value")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served_and_nothing_is_named_that_is_not() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/dashboard");
        let entries = std::fs::read_dir(folder).expect("the folder exists");
        let names = entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("ASCII"));
        let is_served = |name: &String| Path::new(name).extension().is_none_or(|extension| extension != "rs");
        let on_disk: BTreeSet<_> = names.filter(is_served).collect();
        let served: BTreeSet<_> = FILES.iter().map(|file| file.path.rsplit('/').next().expect("a part")).collect();
        let served = served.into_iter().map(|name| if name.is_empty() { "index.html" } else { name }.to_owned());
        assert_eq!(served.collect::<BTreeSet<_>>(), on_disk);
        for file in FILES {
            for name in file.content.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(on_disk.contains(name), "{} imports {name}", file.path);
            }
            for name in file.content.split("\"dashboard/").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(on_disk.contains(name), "{} names {name}", file.path);
            }
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_has_no_inline_code() {
        for file in FILES {
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
        let file = FILES[0];
        let mut headers = HeaderMap::new();
        assert_eq!(file.response(&headers).status(), StatusCode::OK);
        headers.insert(IF_NONE_MATCH, file.tag());
        assert_eq!(file.response(&headers).status(), StatusCode::NOT_MODIFIED);
        headers.insert(IF_NONE_MATCH, FILES[1].tag());
        assert_eq!(file.response(&headers).status(), StatusCode::OK);
    }
}
