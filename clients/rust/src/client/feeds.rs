//! What a client asks of feeds.

use reqwest::{Method, Url};
use time::OffsetDateTime;

use super::{Client, Received};
use crate::body::{Feed, FeedHistory, Feeds, Record};
use crate::error::Error;
use crate::follow::{FollowFeeds, FollowingFeeds};
use crate::history::{self, FeedPages, Range};

impl Client {
    /// Lists the feeds, with their last reports.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn feeds(&self) -> Result<Received<Feeds>, Error> {
        self.call(Method::GET, self.route("feeds"), None, self.timeout).await
    }

    /// Reads the last report of a feed.
    ///
    /// # Errors
    /// [`Error`]; an [`Error::Refused`] with 404 if there is no feed of this name, or it has no report yet.
    pub async fn feed(&self, name: &str) -> Result<Received<Feed>, Error> {
        self.call(Method::GET, self.feed_url(name, None), None, self.timeout).await
    }

    /// Reads the history of a feed, page by page. Nothing is sent before the first page is awaited.
    pub fn feed_history(&self, name: impl Into<String>, range: Range) -> FeedPages {
        FeedPages::new(self.clone(), name.into(), range)
    }

    /// Reads the report of a feed that stood at a time.
    ///
    /// # Errors
    /// [`Error`]; an [`Error::Refused`] with 404 if there is no feed of this name, or no report from before that time.
    pub async fn feed_at(&self, name: &str, time: OffsetDateTime) -> Result<Received<Record>, Error> {
        let mut url = self.feed_url(name, Some("at"));
        url.query_pairs_mut().append_pair("time", &history::written(time));
        self.call(Method::GET, url, None, self.timeout).await
    }

    /// Follows the records of feeds. Nothing is sent before the first record is awaited.
    pub fn follow_feeds(&self, follow: FollowFeeds) -> FollowingFeeds {
        FollowingFeeds::new(self.clone(), follow)
    }

    /// A page of a feed's history, which begins with the round `cursor` or where the range does.
    pub(crate) async fn feed_page(
        &self,
        name: &str,
        range: &Range,
        cursor: Option<u64>,
    ) -> Result<Received<FeedHistory>, Error> {
        let Range { from, to, page } = range;
        let mut url = self.feed_url(name, Some("history"));
        for (parameter, value) in [
            ("from", from.map(|from| from.to_string())),
            ("to", to.map(|to| to.to_string())),
            ("limit", page.map(|page| page.to_string())),
            ("cursor", cursor.map(|cursor| cursor.to_string())),
        ] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(parameter, &value);
            }
        }
        self.call(Method::GET, url, None, self.timeout).await
    }

    /// The address of a feed, or of what is below it. Whatever the name is, it stays one segment of the path.
    fn feed_url(&self, name: &str, below: Option<&str>) -> Url {
        let mut url = self.route("feeds");
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(name).extend(below);
        }
        url
    }
}
