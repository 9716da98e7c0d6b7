//! A terminal for one test: a pseudo-terminal that runs a program, and what its user would see.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::support::PATIENCE;

/// Rows and columns.
pub(crate) const SIZE: (u16, u16) = (24, 120);
/// What the terminal shows before the program starts.
pub(crate) const PROMPT: &str = "$ quorate";
/// A terminal with all capabilities.
pub(crate) const CAPABLE: [(&str, &str); 2] = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];

/// A program on a terminal. Killed when dropped.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<Shown>>,
    reader: std::thread::JoinHandle<()>,
}

/// The output of a program, and what the terminal makes of it.
struct Shown {
    bytes: Vec<u8>,
    parser: vt100::Parser,
}

impl Terminal {
    /// Starts a program as the leader of a session with this controlling terminal, so that keys become signals. Its
    /// environment is `variables` and the search path.
    pub(crate) fn start(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_in(SIZE, program, arguments, variables)
    }

    /// Like [`start`](Self::start), with so many rows and columns.
    pub(crate) fn start_in(
        (rows, columns): (u16, u16),
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("a path");
        let slave = OpenOptions::new().read(true).write(true).open(name).expect("the other end");
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));

        // The flag makes standard input the session's controlling terminal.
        let mut command = Command::new("setsid");
        command.args(["--ctty", program]).args(arguments).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(variables.iter().copied());
        command.stdin(end()).stdout(end()).stderr(end()).kill_on_drop(true);
        let child = command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));

        let size = |size| NonZero::new(size).expect("it is not zero");
        let mut parser = vt100::Parser::new(size(rows), size(columns), 1000);
        parser.process(PROMPT.as_bytes());
        parser.process(b"\r\n");
        let shown = Arc::new(Mutex::new(Shown { bytes: Vec::new(), parser }));
        let keyboard = File::from(master.try_clone().expect("a descriptor"));
        let reader = std::thread::spawn({
            let shown = Arc::clone(&shown);
            move || read(master, &shown)
        });
        Self { child, keyboard, shown, reader }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it has not ended").try_into().expect("an id is positive");
        kill_process(Pid::from_raw(id).expect("an id is not zero"), signal).expect("it can be signalled");
    }

    /// Waits until the screen satisfies a condition.
    pub(crate) async fn shows(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.lock().parser.screen()) {
            assert!(Instant::now() < deadline, "no {what} on:\n{}", self.text());
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn text(&self) -> String {
        self.lock().parser.screen().contents()
    }

    /// Whether keys such as Ctrl-C are shown as `^C`.
    pub(crate) fn shows_control_keys(&self) -> bool {
        tcgetattr(&self.keyboard).expect("it is a terminal").local_modes.contains(LocalModes::ECHOCTL)
    }

    /// What the program has written.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits until the program ends by itself. Returns its exit code, its output, and the screen.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String, vt100::Screen) {
        let Ok(status) = timeout(PATIENCE, self.child.wait()).await else {
            panic!("it does not end; the terminal shows:\n{}", self.text());
        };
        let code = status.expect("it can be waited for").code();
        self.reader.join().expect("it does not panic");
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        (code, String::from_utf8_lossy(&shown.bytes).into_owned(), shown.parser.screen().clone())
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads until the other end is closed, which Linux reports as an error.
fn read(master: OwnedFd, shown: &Mutex<Shown>) {
    let mut master = File::from(master);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = master.read(&mut buffer) {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.bytes.extend_from_slice(&buffer[..read]);
        shown.parser.process(&buffer[..read]);
    }
}
