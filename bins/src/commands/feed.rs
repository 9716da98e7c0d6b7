//! `quorate feed`: the feeds of a coordinator, their last reports, their history, and their rounds as they are recorded.

use anyhow::bail;
use quorate_client::{Bound, Client, Error, FeedEvent, FollowFeeds, Range, Received, Record};
use quorate_core::feed::FeedName;

use super::watch::Stamp;
use super::{client, print};
use crate::advice::sentence;
use crate::args::{FeedArgs, FeedCommand, FeedHistoryArgs, GetFeedArgs, ListFeedsArgs, WatchFeedArgs};
use crate::exit::{Shown, Stale};
use crate::render::{self, Digits, Paint, RecordLines, RecordTable, can_redraw_stdout, clean, size};
use crate::signals::Stop;

/// The most records of a page that a coordinator sends.
const PAGE: u64 = 1000;

/// Shows feeds.
///
/// # Errors
/// No answer, or a stale report if the user wants none.
pub async fn feed(args: FeedArgs) -> anyhow::Result<()> {
    match args.command {
        FeedCommand::Ls(args) => list(args).await,
        FeedCommand::Get(args) => get(args).await,
        FeedCommand::History(args) => history(args).await,
        FeedCommand::Watch(args) => watch(args).await,
    }
}

async fn list(args: ListFeedsArgs) -> anyhow::Result<()> {
    let received = client(&args.server.url)?.feeds().await?;
    if args.server.output.json {
        print(&render::json(&received.json))
    } else {
        print(&render::feeds(&received.body, Paint::for_stdout()))
    }
}

async fn get(args: GetFeedArgs) -> anyhow::Result<()> {
    let received = client(&args.server.url)?.feed(args.name.as_str()).await?;
    if args.server.output.json {
        print(&render::json(&received.json))?;
    } else {
        print(&render::feed(&received.body, Digits::exact(args.numbers.exact), Paint::for_stdout()))?;
    }
    anyhow::ensure!(!(args.fail_on_stale && received.stale), Shown(Stale.into()));
    Ok(())
}

async fn history(args: FeedHistoryArgs) -> anyhow::Result<()> {
    let client = client(&args.server.url)?;
    let mut left = args.rounds();
    let from = match left {
        Some(rounds) if args.is_newest() => newest(&client, &args.name, rounds).await?,
        _ => args.from,
    };
    let page = left.unwrap_or(PAGE).min(PAGE).try_into().ok();
    let mut pages = client.feed_history(args.name.as_str(), Range { from, to: args.to, page });
    let mut table = RecordTable::new(Digits::exact(args.numbers.exact), Paint::for_stdout());
    let mut is_empty = true;
    while left != Some(0)
        && let Some(page) = pages.next().await
    {
        let page = page?;
        let most = left.map_or(usize::MAX, |left| left.try_into().unwrap_or(usize::MAX));
        let records = &page.reports[..page.reports.len().min(most)];
        left = left.map(|left| left - records.len() as u64);
        if args.server.output.json {
            records.iter().try_for_each(|record| print(&render::json(&record.json)))?;
        } else if !records.is_empty() {
            let rows: Vec<_> = records.iter().map(|record| (second(record), &record.body)).collect();
            print(&table.page(&rows))?;
        }
        is_empty &= records.is_empty();
    }
    if is_empty && !args.server.output.json {
        print(&format!("No round of {} is recorded there.", args.name))?;
    }
    Ok(())
}

/// Where the newest rounds of a feed begin. A feed that is not there is found to be missing when its history is read.
async fn newest(client: &Client, name: &FeedName, rounds: u64) -> Result<Option<Bound>, Error> {
    let feeds = client.feeds().await?;
    let feed = feeds.feeds.iter().find(|feed| feed.name == name.as_str());
    let newest = feed.and_then(|feed| feed.newest_round);
    Ok(newest.map(|newest| Bound::Round((newest + 1).saturating_sub(rounds).max(1))))
}

async fn watch(args: WatchFeedArgs) -> anyhow::Result<()> {
    let mut stop = Stop::listen();
    let json = args.server.output.json;
    let url = clean(args.server.url.as_str());
    let client = client(&args.server.url)?;
    let feed = args.name.as_ref().map(|name| name.as_str().to_owned());
    let mut following = client.follow_feeds(FollowFeeds { feed, ..FollowFeeds::default() });
    tokio::select! {
        biased;
        _ = stop.told() => return Ok(()),
        begun = async {
            // A coordinator lets its clients wait for a feed that it does not have.
            if let Some(name) = &args.name {
                exists(&client, name).await?;
            }
            following.next().await.transpose()
        } => drop(begun?),
    }
    eprintln!("watching {url}");
    let mut lines = RecordLines::new(Digits::exact(args.numbers.exact), Paint::for_stdout());
    let mut left = args.count;
    while left != Some(0) {
        let told = tokio::select! {
            biased;
            _ = stop.told() => return Ok(()),
            told = following.next() => told,
        };
        match told {
            Some(Ok(FeedEvent::Recorded(record))) => {
                let (at, width) = placed(&record);
                print(&if json { render::json(&record.json) } else { lines.recorded(&at, &record, width) })?;
                left = left.map(|left| left - 1);
            }
            Some(Ok(FeedEvent::Missed)) if json => print(r#"{"missed":null}"#)?,
            Some(Ok(FeedEvent::Missed)) => print(&lines.missed(&Stamp::now().second()))?,
            Some(Ok(FeedEvent::Connected)) => eprintln!("watching {url} again"),
            Some(Ok(_)) => {}
            Some(Err(error)) if error.is_lasting() => return Err(error.into()),
            Some(Err(error)) => eprintln!("{}; connecting again", clean(&sentence(&error))),
            None => bail!("the stream has ended"),
        }
    }
    Ok(())
}

/// Fails with the coordinator's own words if there is no such feed.
async fn exists(client: &Client, name: &FeedName) -> Result<(), Error> {
    let feeds = client.feeds().await?;
    if feeds.feeds.iter().all(|feed| feed.name != name.as_str()) {
        client.feed(name.as_str()).await?;
    }
    Ok(())
}

/// The time of a record, and the width of the terminal. People at a terminal know the date.
fn placed(record: &Received<Record>) -> (String, Option<usize>) {
    if !can_redraw_stdout() {
        return (second(record), None);
    }
    (record.answered_at.map_or_else(Stamp::now, Stamp::of).clock(), Some(size().0))
}

/// When the round of a record ended.
fn second(record: &Record) -> String {
    record.answered_at.map_or_else(|| "-".to_owned(), |at| Stamp::of(at).second())
}
