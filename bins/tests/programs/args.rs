//! The command lines: the names, defaults and environment variables that people and scripts rely on.

use std::time::Duration;

use clap::{Args as _, CommandFactory, Parser};
use quorate_cli::args::{Command, CoordinatorArgs, LoadArgs, QuorateArgs, SourceName, WorkerArgs};
use quorate_core::aggregate::{Millionths, OutlierRule, Rule, Strategy};
use quorate_core::coordinator;
use quorate_core::policy::{OnDispute, Policy};
use quorate_runtime::source::SimulatedConfig;
use rust_decimal::Decimal;

/// Flag, environment variable, default; in the order of the flags.
type Flag = (&'static str, &'static str, &'static str);

const NATS: [Flag; 4] = [
    ("nats", "NATS_URL", "nats://localhost:4222"),
    ("nats-ca", "NATS_CA", ""),
    ("nats-creds", "NATS_CREDS", ""),
    ("subject-prefix", "QUORATE_SUBJECT_PREFIX", "oracle"),
];

const LISTEN: [Flag; 1] = [("listen", "QUORATE_LISTEN", "0.0.0.0:8080")];

const SERVE: [Flag; 37] = [
    ("threads", "QUORATE_THREADS", "1"),
    ("allow-worker", "QUORATE_ALLOW_WORKER", ""),
    ("decimals", "QUORATE_DECIMALS", ""),
    ("expect", "QUORATE_EXPECT", ""),
    ("quarantine-below", "QUORATE_QUARANTINE_BELOW", ""),
    ("max-age-ms", "QUORATE_MAX_AGE_MS", ""),
    ("max-connections-per-peer", "QUORATE_MAX_CONNECTIONS_PER_PEER", "1024"),
    ("max-deviation", "QUORATE_MAX_DEVIATION", "0.06"),
    ("max-in-flight", "QUORATE_MAX_IN_FLIGHT", "10000"),
    ("max-in-flight-bytes", "QUORATE_MAX_IN_FLIGHT_BYTES", "268435456"),
    ("max-newcomers", "QUORATE_MAX_NEWCOMERS", "3"),
    ("max-remembered", "QUORATE_MAX_REMEMBERED", "10000"),
    ("max-remembered-bytes", "QUORATE_MAX_REMEMBERED_BYTES", "67108864"),
    ("max-subscribers", "QUORATE_MAX_SUBSCRIBERS", "256"),
    ("max-subscribers-per-client", "QUORATE_MAX_SUBSCRIBERS_PER_CLIENT", "32"),
    ("max-timeout-ms", "QUORATE_MAX_TIMEOUT_MS", "60000"),
    ("min-agreement", "QUORATE_MIN_AGREEMENT", "0.51"),
    ("min-expected", "QUORATE_MIN_EXPECTED", "0"),
    ("min-responses", "QUORATE_MIN_RESPONSES", "1"),
    ("on-dispute", "QUORATE_ON_DISPUTE", "answer"),
    ("otlp-sample", "QUORATE_OTLP_SAMPLE", "1"),
    ("policies", "QUORATE_POLICIES", ""),
    ("precision", "QUORATE_PRECISION", "2"),
    ("presence-ms", "QUORATE_PRESENCE_MS", "10000"),
    ("quorum", "QUORATE_QUORUM", ""),
    ("rate-burst", "QUORATE_RATE_BURST", "20"),
    ("rate-limit", "QUORATE_RATE_LIMIT", "10"),
    ("read-rate-burst", "QUORATE_READ_RATE_BURST", "200"),
    ("read-rate-limit", "QUORATE_READ_RATE_LIMIT", "100"),
    ("redispatch-share", "QUORATE_REDISPATCH_SHARE", "0.5"),
    ("remember-ms", "QUORATE_REMEMBER_MS", "60000"),
    ("stall-ms", "QUORATE_STALL_MS", "300"),
    ("strategy", "QUORATE_STRATEGY", "average"),
    ("suspect-after-ms", "QUORATE_SUSPECT_AFTER_MS", "100"),
    ("timeout-ms", "QUORATE_TIMEOUT_MS", "5000"),
    ("tolerance", "QUORATE_TOLERANCE", ""),
    ("trim-share", "QUORATE_TRIM_SHARE", "0.25"),
];

const STORE: [Flag; 7] = [
    ("feeds", "QUORATE_FEEDS", ""),
    ("keep-outcomes", "QUORATE_KEEP_OUTCOMES", ""),
    ("keep-reports", "QUORATE_KEEP_REPORTS", "30d"),
    ("keep-requests", "QUORATE_KEEP_REQUESTS", "7d"),
    ("store", "QUORATE_STORE", ""),
    ("store-replicas", "QUORATE_STORE_REPLICAS", "1"),
    ("store-storage", "QUORATE_STORE_STORAGE", "file"),
];

const CHECK: [Flag; 1] = [("check", "QUORATE_CHECK", "")];

const TRUSTED: [Flag; 2] = [("cors", "QUORATE_CORS", ""), ("trusted-proxy", "QUORATE_TRUSTED_PROXY", "")];

const OTLP: [Flag; 1] = [("otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", "")];

const COMMON: [Flag; 3] = [
    ("log", "QUORATE_LOG", "info,async_nats=off"),
    ("log-format", "QUORATE_LOG_FORMAT", "text"),
    ("seed", "QUORATE_SEED", ""),
];

const SIMULATED: [Flag; 4] = [
    ("delay-max-ms", "QUORATE_DELAY_MAX_MS", "2000"),
    ("delay-min-ms", "QUORATE_DELAY_MIN_MS", "100"),
    ("failure-rate", "QUORATE_FAILURE_RATE", "0.1"),
    ("variance", "QUORATE_VARIANCE", "0.01"),
];

const WORKER: [Flag; 9] = [
    ("announce-ms", "QUORATE_ANNOUNCE_MS", "2000"),
    ("config", "QUORATE_CONFIG", ""),
    ("id", "QUORATE_ID", ""),
    ("max-concurrent", "QUORATE_MAX_CONCURRENT", "64"),
    ("max-queue", "QUORATE_MAX_QUEUE", "1024"),
    ("port", "QUORATE_PORT", "8081"),
    ("queries", "QUORATE_QUERIES", ""),
    ("replicas", "QUORATE_REPLICAS", ""),
    ("source", "QUORATE_SOURCE", "simulated"),
];

const SERVER: [Flag; 3] =
    [("context", "QUORATE_CONTEXT", ""), ("json", "QUORATE_JSON", ""), ("url", "QUORATE_URL", "http://localhost:8080")];

const JSON: [Flag; 1] = [("json", "QUORATE_JSON", "")];

const EXACT: [Flag; 1] = [("exact", "QUORATE_EXACT", "")];

const WATCH: [Flag; 3] =
    [("count", "QUORATE_COUNT", ""), ("interval", "QUORATE_INTERVAL", "1s"), ("watch", "QUORATE_WATCH", "")];

const ASK: [Flag; 2] = [("fail-on-dispute", "QUORATE_ASK_FAIL_ON_DISPUTE", ""), ("id", "QUORATE_ASK_ID", "")];

const SUBMIT: [Flag; 1] = [("id", "QUORATE_SUBMIT_ID", "")];

const RESULT: [Flag; 3] = [
    ("ID", "QUORATE_RESULT_ID", ""),
    ("fail-on-dispute", "QUORATE_RESULT_FAIL_ON_DISPUTE", ""),
    ("wait", "QUORATE_RESULT_WAIT", ""),
];

/// What is asked, and how it is answered.
const QUESTION: [Flag; 13] = [
    ("QUERY", "QUORATE_QUERY", ""),
    ("decimals", "QUORATE_ASK_DECIMALS", ""),
    ("max-age-ms", "QUORATE_ASK_MAX_AGE_MS", ""),
    ("max-deviation", "QUORATE_ASK_MAX_DEVIATION", ""),
    ("min-agreement", "QUORATE_ASK_MIN_AGREEMENT", ""),
    ("min-responses", "QUORATE_ASK_MIN_RESPONSES", ""),
    ("on-dispute", "QUORATE_ASK_ON_DISPUTE", ""),
    ("precision", "QUORATE_ASK_PRECISION", ""),
    ("quorum", "QUORATE_ASK_QUORUM", ""),
    ("strategy", "QUORATE_ASK_STRATEGY", ""),
    ("timeout-ms", "QUORATE_ASK_TIMEOUT_MS", ""),
    ("tolerance", "QUORATE_ASK_TOLERANCE", ""),
    ("trim-share", "QUORATE_ASK_TRIM_SHARE", ""),
];

const LOAD: [Flag; 6] = [
    ("connections", "QUORATE_LOAD_CONNECTIONS", "64"),
    ("duration", "QUORATE_LOAD_DURATION", "10s"),
    ("query", "QUORATE_LOAD_QUERY", "BTC/USD"),
    ("requests", "QUORATE_LOAD_REQUESTS", ""),
    ("timeout-ms", "QUORATE_LOAD_TIMEOUT_MS", "10000"),
    ("warmup", "QUORATE_LOAD_WARMUP", "0s"),
];

const EXCHANGE: [Flag; 5] = [
    ("failure-rate", "QUORATE_EXCHANGE_FAILURE_RATE", "0"),
    ("latency", "QUORATE_EXCHANGE_LATENCY", "100ms"),
    ("listen", "QUORATE_EXCHANGE_LISTEN", "127.0.0.1:8090"),
    ("seed", "QUORATE_SEED", ""),
    ("spread", "QUORATE_EXCHANGE_SPREAD", "0.0002"),
];

/// Every flag of a command, and the query, sorted; except help, version, old names, and what is only ever typed.
fn flags(command: &clap::Command) -> Vec<(String, String, String)> {
    let mut flags: Vec<_> = command
        .get_arguments()
        .filter(|arg| {
            let typed = ["help", "version", "shell", "page", "name"];
            !arg.is_hide_set() && !typed.contains(&arg.get_id().as_str())
        })
        .map(|arg| {
            let name = arg.get_long().map_or_else(|| arg.get_id().as_str().to_uppercase(), str::to_owned);
            let env = arg.get_env().expect("every flag has an environment variable").to_str().expect("ASCII");
            let takes_value = arg.get_action().takes_values();
            let default = arg.get_default_values().first().filter(|_| takes_value);
            (name, env.to_owned(), default.map_or("", |value| value.to_str().expect("ASCII")).to_owned())
        })
        .collect();
    flags.sort();
    flags
}

fn expected(groups: &[&[Flag]]) -> Vec<(String, String, String)> {
    let owned = |flag: &Flag| (flag.0.to_owned(), flag.1.to_owned(), flag.2.to_owned());
    let mut flags: Vec<_> = groups.iter().flat_map(|group| group.iter().map(owned)).collect();
    flags.sort();
    flags
}

fn subcommand(name: &str) -> clap::Command {
    QuorateArgs::command().find_subcommand(name).expect("a subcommand").clone()
}

#[test]
fn the_command_lines_are_consistent() {
    CoordinatorArgs::command().debug_assert();
    WorkerArgs::command().debug_assert();
    QuorateArgs::command().debug_assert();
}

#[test]
fn every_flag_has_its_fixed_name_variable_and_default() {
    let dev: [Flag; 3] = [
        ("workers", "QUORATE_WORKERS", "3"),
        ("listen", "QUORATE_LISTEN", "127.0.0.1:8080"),
        ("nats", "QUORATE_DEV_NATS", ""),
    ];
    let demo: [Flag; 1] = [("url", "QUORATE_URL", "")];
    assert_eq!(
        flags(&CoordinatorArgs::command()),
        expected(&[&CHECK, &NATS, &LISTEN, &SERVE, &STORE, &TRUSTED, &OTLP, &COMMON])
    );
    assert_eq!(flags(&WorkerArgs::command()), expected(&[&CHECK, &NATS, &WORKER, &SIMULATED, &OTLP, &COMMON]));
    assert_eq!(flags(&subcommand("coordinator")), flags(&CoordinatorArgs::command()));
    assert_eq!(flags(&subcommand("worker")), flags(&WorkerArgs::command()));
    assert_eq!(
        flags(&subcommand("dev")),
        expected(&[&dev, &JSON, &SERVE, &STORE, &TRUSTED, &SIMULATED, &OTLP, &COMMON])
    );
    assert_eq!(flags(&subcommand("demo")), expected(&[&demo, &JSON, &EXACT]));
    assert_eq!(flags(&subcommand("ask")), expected(&[&ASK, &QUESTION, &SERVER, &EXACT, &WATCH]));
    assert_eq!(flags(&subcommand("submit")), expected(&[&SUBMIT, &QUESTION, &SERVER]));
    assert_eq!(flags(&subcommand("result")), expected(&[&RESULT, &SERVER, &EXACT]));
    let follow: [Flag; 6] = [
        ("QUERY", "QUORATE_FOLLOW_QUERY", ""),
        ("count", "QUORATE_FOLLOW_COUNT", ""),
        ("nats", "QUORATE_FOLLOW_NATS", ""),
        ("nats-ca", "NATS_CA", ""),
        ("nats-creds", "NATS_CREDS", ""),
        ("subject-prefix", "QUORATE_SUBJECT_PREFIX", "oracle"),
    ];
    assert_eq!(flags(&subcommand("follow")), expected(&[&follow, &SERVER, &EXACT]));
    let feed = |name: &str| flags(subcommand("feed").find_subcommand(name).expect("a subcommand"));
    let get: [Flag; 1] = [("fail-on-stale", "QUORATE_FEED_FAIL_ON_STALE", "")];
    let history: [Flag; 3] =
        [("from", "QUORATE_FEED_FROM", ""), ("limit", "QUORATE_FEED_LIMIT", ""), ("to", "QUORATE_FEED_TO", "")];
    let watch: [Flag; 1] = [("count", "QUORATE_FEED_COUNT", "")];
    assert_eq!(feed("ls"), expected(&[&SERVER]));
    assert_eq!(feed("get"), expected(&[&get, &SERVER, &EXACT]));
    assert_eq!(feed("history"), expected(&[&history, &SERVER, &EXACT]));
    assert_eq!(feed("watch"), expected(&[&watch, &SERVER, &EXACT]));
    assert_eq!(flags(&subcommand("workers")), expected(&[&SERVER, &WATCH]));
    assert_eq!(flags(&subcommand("load")), expected(&[&LOAD, &SERVER]));
    assert_eq!(flags(&subcommand("exchange")), expected(&[&EXCHANGE]));
    let ready: [Flag; 1] = [("ready", "QUORATE_READY", "")];
    assert_eq!(flags(&subcommand("health")), expected(&[&ready, &SERVER]));
    let program: [Flag; 1] = [("program", "QUORATE_COMPLETIONS_PROGRAM", "quorate")];
    let context = |name: &str| flags(subcommand("context").find_subcommand(name).expect("a subcommand"));
    let add: [Flag; 4] = [
        ("description", "QUORATE_CONTEXT_DESCRIPTION", ""),
        ("output", "QUORATE_CONTEXT_OUTPUT", ""),
        ("replace", "QUORATE_CONTEXT_REPLACE", ""),
        ("url", "QUORATE_CONTEXT_URL", ""),
    ];
    assert_eq!(context("add"), expected(&[&add]));
    assert_eq!((context("ls"), context("show")), (expected(&[&JSON]), expected(&[&JSON])));
    assert_eq!((context("select"), context("rm")), (Vec::new(), Vec::new()));
    let dir: [Flag; 1] = [("dir", "QUORATE_MAN_DIR", "")];
    assert_eq!(flags(&subcommand("completions")), expected(&[&program]));
    assert_eq!(flags(&subcommand("man")), expected(&[&dir]));
}

#[test]
fn every_flag_is_explained() {
    let quorate = QuorateArgs::command();
    let commands = [CoordinatorArgs::command(), WorkerArgs::command()];
    let nested = [subcommand("context"), subcommand("feed")];
    let nested = nested.iter().flat_map(clap::Command::get_subcommands);
    for command in commands.iter().chain(quorate.get_subcommands()).chain(nested) {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{} {}", command.get_name(), arg.get_id());
            let in_milliseconds = arg.get_id().as_str().ends_with("_ms");
            assert!(!in_milliseconds || help.to_lowercase().contains("millisecond"), "{}: {help}", arg.get_id());
        }
    }
}

#[test]
fn the_defaults_are_those_of_the_machines_and_sources() {
    let coordinator = CoordinatorArgs::try_parse_from(["coordinator"]).expect("no flag is required");
    assert_eq!(coordinator.serve.machine(), coordinator::Config::default());
    let worker = WorkerArgs::try_parse_from(["worker"]).expect("no flag is required");
    assert_eq!(worker.work.machine(), quorate_core::worker::Config::default());
    assert_eq!(worker.simulated.config(), SimulatedConfig::default());
    assert_eq!(worker.id().as_str(), "worker-8081");
    let worker = WorkerArgs::try_parse_from(["worker", "--port", "9000"]).expect("valid");
    assert_eq!(worker.id().as_str(), "worker-9000");
}

#[test]
fn lists_are_separated_by_commas_or_repeated() {
    let args = CoordinatorArgs::try_parse_from([
        "coordinator",
        "--nats",
        "nats://a,nats://b",
        "--nats",
        "nats://c",
        "--trusted-proxy",
        "10.0.0.0/8,127.0.0.1",
        "--allow-worker=w1",
        "--allow-worker=w2",
        "--quarantine-below=0.25",
        "--max-newcomers=7",
        "--redispatch-share=0",
        "--max-deviation=0.05",
        "--strategy=median",
    ])
    .expect("valid");
    assert_eq!(args.nats.urls, ["nats://a", "nats://b", "nats://c"]);
    assert!(!format!("{args:?}").contains("nats://"), "an address may hold a password");
    assert_eq!(args.serve.trusted_proxies.len(), 2);
    let machine = args.serve.machine();
    let admitted: Vec<_> = machine.admitted.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(admitted, ["w1", "w2"]);
    assert_eq!(machine.quarantine_below.map(coordinator::Score::millionths), Some(250_000));
    assert_eq!((machine.redispatch_permille, machine.max_newcomers), (0, 7));
    assert_eq!(machine.policy.rule.max_deviation.to_string(), "0.05");
    assert_eq!(args.serve.policy.strategy.name(), "median");
}

#[test]
fn the_quarantine_has_its_old_name_for_a_release() {
    let below = |flags: &[&str]| {
        let args = CoordinatorArgs::try_parse_from(["coordinator"].iter().chain(flags)).expect("valid");
        args.serve.machine().quarantine_below.map(coordinator::Score::millionths)
    };
    assert_eq!(below(&["--cordon-below=0.25"]), Some(250_000));
    assert_eq!(below(&["--cordon-below=0.25", "--quarantine-below=0.5"]), Some(500_000), "the new name wins");
    let command = CoordinatorArgs::command();
    let old = command.get_arguments().find(|arg| arg.get_long() == Some("cordon-below")).expect("the old name");
    assert!(old.is_hide_set());
    assert_eq!(old.get_env(), Some("QUORATE_CORDON_BELOW".as_ref()));
}

#[test]
fn every_flag_of_the_policy_reaches_the_machine() {
    let args = CoordinatorArgs::try_parse_from([
        "coordinator",
        "--strategy=trimmed_mean",
        "--precision=4",
        "--trim-share=0.1",
        "--max-deviation=mad:3.5",
        "--tolerance=0.005",
        "--min-agreement=0.75",
        "--max-age-ms=10000",
        "--min-responses=2",
        "--quorum=3",
        "--timeout-ms=700",
        "--on-dispute=reject",
        "--decimals=2",
    ]);
    let expected = Policy {
        rule: Rule {
            strategy: Strategy::TrimmedMean,
            precision: 4,
            trim_share: Millionths::new(100_000),
            max_deviation: OutlierRule::Mad(Millionths::new(3_500_000)),
            tolerance: Some(Decimal::new(5, 3)),
            min_agreement: Some(Millionths::new(750_000)),
            max_age: Some(Duration::from_secs(10)),
        },
        min_responses: 2,
        quorum: Some(3),
        timeout: Duration::from_millis(700),
        on_dispute: OnDispute::Reject,
        decimals: Some(2),
    };
    assert_eq!(args.expect("valid").serve.machine().policy, expected);
}

#[test]
fn flags_that_are_not_set_leave_the_defaults_of_the_machine() {
    let machine = CoordinatorArgs::try_parse_from(["coordinator"]).expect("valid").serve.machine();
    assert_eq!(machine, coordinator::Config::default());
}

#[test]
fn the_flags_say_who_should_be_there_and_how_soon_a_silent_worker_is_suspect() {
    let flags = ["coordinator", "--expect=kraken,coinbase", "--min-expected=3", "--suspect-after-ms=0"];
    let machine = CoordinatorArgs::try_parse_from(flags).expect("valid").serve.machine();
    let names: Vec<_> = machine.expected.workers.iter().map(ToString::to_string).collect();
    assert_eq!((names, machine.expected.least), (vec!["coinbase".to_owned(), "kraken".to_owned()], 3));
    assert_eq!(machine.suspect_after, None);
}

#[test]
fn values_out_of_range_are_refused() {
    for flags in [
        ["coordinator", "--redispatch-share=1.1"],
        ["coordinator", "--quarantine-below=-0.1"],
        ["coordinator", "--max-deviation=-1"],
        ["coordinator", "--max-deviation=sd:3"],
        ["coordinator", "--tolerance=-0.1"],
        ["coordinator", "--min-agreement=1.5"],
        ["coordinator", "--trim-share=0.5"],
        ["coordinator", "--on-dispute=shrug"],
        ["coordinator", "--max-age-ms=-1"],
        ["coordinator", "--timeout-ms=0"],
        ["coordinator", "--timeout-ms=-5"],
        ["coordinator", "--max-in-flight=0"],
        ["coordinator", "--rate-burst=0"],
        ["coordinator", "--precision=29"],
        ["coordinator", "--decimals=29"],
        ["coordinator", "--strategy=mean"],
        ["coordinator", "--trusted-proxy=proxy"],
        ["coordinator", "--cors=app.example.org"],
        ["coordinator", "--cors=https://app.example.org/"],
        ["coordinator", "--allow-worker="],
        ["coordinator", "--listen=8080"],
        ["coordinator", "--otlp=localhost:4318"],
        ["coordinator", "--otlp=http://user:secret@localhost:4318"],
        ["coordinator", "--otlp-sample=1.1"],
        ["coordinator", "--expect="],
        ["coordinator", "--min-expected=1001"],
        ["coordinator", "--store=disk"],
    ] {
        assert!(CoordinatorArgs::try_parse_from(flags).is_err(), "{flags:?}");
    }
    for flags in [
        ["worker", "--failure-rate=2"],
        ["worker", "--id="],
        ["worker", "--queries="],
        ["worker", "--queries=BTC/*,,ETH/USD"],
        ["worker", "--source=http"],
    ] {
        assert!(WorkerArgs::try_parse_from(flags).is_err(), "{flags:?}");
    }
    let http = WorkerArgs::try_parse_from(["worker", "--source=http", "--config=sources.toml"]).expect("valid");
    assert_eq!(http.source, SourceName::Http);
}

#[test]
fn every_flag_that_takes_a_time_takes_a_unit_or_a_number_in_its_own() {
    let quorate = QuorateArgs::command();
    let stored = "--store=memory";
    let servers = [(CoordinatorArgs::command(), vec!["coordinator", stored]), (WorkerArgs::command(), vec!["worker"])];
    let subcommands = quorate.get_subcommands().map(|subcommand| {
        let name = subcommand.get_name();
        // What each needs for all of its flags to have an effect.
        let more: &[_] = match name {
            "ask" => &["q", "--watch"],
            "submit" => &["q"],
            "result" => &["r"],
            "workers" => &["--watch"],
            "coordinator" | "dev" => &[stored],
            _ => &[],
        };
        (subcommand.clone(), [&["quorate", name], more].concat())
    });
    let mut flags = 0;
    for (command, line) in servers.into_iter().chain(subcommands) {
        let takes_time =
            |arg: &&clap::Arg| arg.get_value_names().is_some_and(|names| ["MS", "TIME"].contains(&names[0].as_str()));
        for flag in command.get_arguments().filter(takes_time) {
            flags += 1;
            let long = flag.get_long().expect("it is a flag");
            let parse = |time: &str| {
                let line: Vec<_> =
                    line.iter().map(|&word| word.to_owned()).chain([format!("--{long}={time}")]).collect();
                match line[0].as_str() {
                    "coordinator" => CoordinatorArgs::try_parse_from(&line).map(drop),
                    "worker" => WorkerArgs::try_parse_from(&line).map(drop),
                    _ => QuorateArgs::try_parse_from(&line).map(drop),
                }
            };
            for time in ["2s", "500ms", "1m", "1h30m", "1.5s", "20"] {
                parse(time).unwrap_or_else(|error| panic!("{line:?} --{long}={time}: {error}"));
            }
            for time in ["-2s", "2x", "0.1ns", "", "99999999999999999999999h"] {
                parse(time).expect_err(&format!("{line:?} --{long}={time}"));
            }
        }
    }
    assert!(flags >= 43, "{flags}");
}

#[test]
fn a_measurement_ends_after_a_time_or_a_count() {
    let load = |flags: &[&str]| {
        let args = QuorateArgs::try_parse_from(["quorate", "load"].iter().chain(flags))?;
        let Command::Load(LoadArgs { duration, requests, .. }) = args.command else {
            panic!("load is a subcommand");
        };
        Ok::<_, clap::Error>((duration, requests))
    };
    assert_eq!(load(&[]).expect("valid"), (Duration::from_secs(10), None));
    assert_eq!(load(&["--duration", "500ms"]).expect("valid"), (Duration::from_millis(500), None));
    assert_eq!(load(&["--requests", "7"]).expect("valid").1, Some(7));
    assert!(load(&["--requests", "7", "--duration", "1s"]).is_err());
    assert_eq!(load(&["--duration", "20"]).expect("a number of seconds").0, Duration::from_secs(20));
    assert!(load(&["--duration", "1e3"]).is_err());
}

#[test]
fn a_watch_has_an_interval_and_asks_without_an_id_of_its_own() {
    let watch = |flags: &[&str]| {
        let args = QuorateArgs::try_parse_from(["quorate", "ask", "q"].iter().chain(flags))?;
        let Command::Ask(args) = args.command else { panic!("ask is a subcommand") };
        Ok::<_, clap::Error>((args.watch.watch, args.watch.interval, args.watch.count))
    };
    let second = Duration::from_secs(1);
    assert_eq!(watch(&[]).expect("valid"), (false, second, None));
    assert_eq!(watch(&["--watch"]).expect("valid"), (true, second, None));
    let expected = (true, Duration::from_millis(10), Some(3));
    assert_eq!(watch(&["--watch", "--interval", "10ms", "--count", "3"]).expect("valid"), expected);
    for refused in [&["--count", "3"][..], &["--watch", "--count", "0"], &["--watch", "--interval", "9ms"]] {
        assert!(watch(refused).is_err(), "{refused:?}");
    }
    assert!(watch(&["--watch", "--id", "r"]).is_err(), "one id has one answer");
}

#[test]
fn a_group_of_flags_stands_alone() {
    let command = quorate_cli::args::ServeArgs::augment_args(clap::Command::new("serve"));
    assert_eq!(flags(&command), expected(&[&SERVE, &STORE, &TRUSTED]));
}
