//! `quorate workers --watch`: lists the workers repeatedly, in place on a terminal.

use std::io::{self, Stdout};

use quorate_client::{Client, Error, Received, Workers};

use super::watch::{Due, Stamp, Watch};
use super::{error_json, print};
use crate::advice::sentence;
use crate::args::WatchArgs;
use crate::exit::Shown;
use crate::render::{self, Paint, Screen, Tone, can_redraw_stdout, clean, size, workers_summary};
use crate::signals::Suspend;

/// Lists the workers until it is stopped, or until the requested number of lists was shown.
///
/// # Errors
/// An error that a repetition cannot fix ends the watch at once. If the number of lists is limited, the last error
/// counts. All errors were shown.
pub(super) async fn workers(client: &Client, json: bool, args: &WatchArgs) -> anyhow::Result<()> {
    let mut watch = Watch::new(args);
    let mut view = View::new(client, json, args);
    let mut failure = None;
    loop {
        match view.unless_suspended(watch.due()).await? {
            Due::Now => {}
            Due::Over => break,
            Due::Stopped => {
                failure = None;
                break;
            }
        }
        let looked = view.unless_suspended(watch.unless_stopped(client.workers())).await?;
        match looked {
            None => {
                failure = None;
                break;
            }
            Some(Ok(received)) => view.workers(&received)?,
            Some(Err(error)) => {
                view.error(&error)?;
                let is_lasting = error.is_lasting();
                failure = Some(error);
                if is_lasting {
                    break;
                }
            }
        }
    }
    view.end()?;
    failure.map_or(Ok(()), |error| Err(Shown(error.into()).into()))
}

/// Where the workers are shown.
enum View {
    /// JSON objects, one per line.
    Json,
    /// Tables, one after the other.
    Tables(Paint),
    /// One table, redrawn.
    Live(Box<Live>),
}

/// A terminal.
struct Live {
    screen: Screen<Stdout>,
    suspend: Suspend,
    paint: Paint,
    /// The coordinator and the interval.
    title: String,
    /// All of the last drawing.
    shown: String,
    /// The last table, which stays while the coordinator cannot be reached.
    table: String,
}

impl View {
    fn new(client: &Client, json: bool, args: &WatchArgs) -> Self {
        let paint = Paint::for_stdout();
        if json {
            return Self::Json;
        }
        if !can_redraw_stdout() {
            return Self::Tables(paint);
        }
        let title = format!("{}  every {:?}, Ctrl-C ends", clean(client.url().as_str()), args.interval);
        let (shown, table) = (String::new(), String::new());
        Self::Live(Box::new(Live {
            screen: Screen::new(io::stdout()),
            suspend: Suspend::listen(),
            paint,
            title,
            shown,
            table,
        }))
    }

    /// The result of `work`. Meanwhile Ctrl-Z leaves the screen and suspends the process.
    async fn unless_suspended<T>(&mut self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let Self::Live(live) = self else { return Ok(work.await) };
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = live.suspend.told() => {
                    live.screen.leave()?;
                    Suspend::suspend();
                    live.draw()?;
                }
                done = &mut work => return Ok(done),
            }
        }
    }

    fn workers(&mut self, received: &Received<Workers>) -> anyhow::Result<()> {
        let now = Stamp::now();
        match self {
            Self::Json => print(&now.json("", &received.json)),
            Self::Tables(paint) => {
                let head = paint.tint(Tone::Faint, &now.second());
                let table = render::workers(&received.body, *paint);
                print(&format!("{head}  {}\n{table}", workers_summary(&received.body)))?;
                print("")
            }
            Self::Live(live) => {
                let head = format!("{}  {}", now.clock(), workers_summary(&received.body));
                live.table = render::workers(&received.body, live.paint);
                live.show(&live.paint.tint(Tone::Strong, &head))
            }
        }
    }

    fn error(&mut self, error: &Error) -> anyhow::Result<()> {
        let now = Stamp::now();
        match self {
            Self::Json => print(&error_json(now, error)?),
            Self::Tables(paint) => {
                print(&format!("{}  {}", now.second(), paint.tint(Tone::Bad, &clean(&sentence(error)))))
            }
            Self::Live(live) => {
                let said = clean(&sentence(error));
                live.show(&live.paint.tint(Tone::Bad, &format!("{}  {said}", now.clock())))
            }
        }
    }

    /// Leaves the last table on the terminal.
    fn end(self) -> anyhow::Result<()> {
        let Self::Live(mut live) = self else { return Ok(()) };
        live.screen.leave()?;
        if live.shown.is_empty() { Ok(()) } else { print(&live.shown) }
    }
}

impl Live {
    fn show(&mut self, head: &str) -> anyhow::Result<()> {
        self.shown = format!("{head}\n\n{}", self.table);
        self.draw()
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let (_, rows) = size();
        let title = self.paint.tint(Tone::Faint, &self.title);
        Ok(self.screen.draw(&format!("{title}\n{}", self.shown), rows)?)
    }
}
