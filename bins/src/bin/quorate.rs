//! The operator's tool: runs a coordinator, a worker or everything in one process, or asks coordinators that run
//! elsewhere.

use std::process::ExitCode;

use quorate_cli::args::{Command, QuorateArgs};
use quorate_cli::render::Digits;
use quorate_cli::threads::{one_thread, threads};
use quorate_cli::{commands, demo, exchange, exit, serve};

fn main() -> ExitCode {
    let command = match QuorateArgs::read() {
        Ok(args) => args.command,
        Err(error) => exit::usage(&error, QuorateArgs::wants_json()),
    };
    let json = command.json();
    exit::report(run(command), json)
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => match args.url {
            Some(url) => {
                one_thread()?.block_on(demo::run(&url, 0, args.output.json, Digits::exact(args.numbers.exact)))
            }
            None => one_thread()?.block_on(serve::embedded_demo(args.output.json, Digits::exact(args.numbers.exact))),
        },
        Command::Dev(args) => threads(args.serve.threads)?.block_on(serve::dev(*args)),
        Command::Coordinator(args) => threads(args.serve.threads)?.block_on(serve::coordinator(*args)),
        Command::Worker(args) => one_thread()?.block_on(serve::worker(*args)),
        Command::Ask(args) => one_thread()?.block_on(commands::ask(args)),
        Command::Submit(args) => one_thread()?.block_on(commands::submit(args)),
        Command::Result(args) => one_thread()?.block_on(commands::result(args)),
        Command::Feed(args) => one_thread()?.block_on(commands::feed(args)),
        Command::Follow(args) => one_thread()?.block_on(commands::follow(args)),
        Command::Workers(args) => one_thread()?.block_on(commands::workers(args)),
        Command::Queries(args) => one_thread()?.block_on(commands::queries(args)),
        Command::Policies(args) => one_thread()?.block_on(commands::policies(args)),
        Command::Health(args) => one_thread()?.block_on(commands::health(args)),
        Command::Load(args) => one_thread()?.block_on(commands::load(args)),
        Command::Exchange(args) => one_thread()?.block_on(exchange::run(args)),
        Command::Context(args) => commands::context(args),
        Command::Completions(args) => commands::completions(args),
        Command::Man(args) => commands::man(&args),
    }
}
