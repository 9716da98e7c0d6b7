//! The Dockerfile: what it builds exists, what it copies suffices, and its images run our programs as an unprivileged
//! user.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use quorate_test_support::workspace;

use crate::files::{listed, read};
use crate::program::{check_taken, coordinator_port};

const DOCKERFILE: &str = "deploy/Dockerfile";
const IGNORE: &str = "deploy/Dockerfile.dockerignore";

/// A stage: its base image and its instructions.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    name: String,
    base: String,
    instructions: Vec<(String, String)>,
}

impl Stage {
    /// All stages, in order.
    pub(crate) fn all() -> Vec<Self> {
        let text = read(DOCKERFILE);
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let mut stages: Vec<Self> = Vec::new();
        let mut arguments: Vec<(String, String)> = Vec::new();
        for instruction in lines.join("\n").replace("\\\n", " ").lines().filter(|line| !line.is_empty()) {
            let (word, rest) = instruction.split_once(' ').expect("an instruction has arguments");
            match (word, stages.last_mut()) {
                ("FROM", _) => {
                    let (base, name) = rest.split_once(" AS ").expect("every stage has a name");
                    let base = arguments
                        .iter()
                        .fold(base.to_owned(), |base, (name, default)| base.replace(&format!("${{{name}}}"), default));
                    stages.push(Self { name: name.to_owned(), base, instructions: Vec::new() });
                }
                ("ARG", None) => {
                    let (name, default) = rest.split_once('=').expect("an argument of the build has a default");
                    arguments.push((name.to_owned(), default.to_owned()));
                }
                (word, Some(stage)) => stage.instructions.push((word.to_owned(), rest.trim().to_owned())),
                (word, None) => panic!("{word} comes before the first stage"),
            }
        }
        stages
    }

    /// The stages that are images to use: those that run something.
    pub(crate) fn images() -> Vec<Self> {
        let images: Vec<_> = Self::all().into_iter().filter(|stage| stage.last("ENTRYPOINT").is_some()).collect();
        assert_eq!(images.len(), 3);
        images
    }

    /// The image of this name, which may be followed by a tag.
    pub(crate) fn of_image(image: &str) -> Self {
        let name = image.strip_prefix("quorate/").unwrap_or_else(|| panic!("{image} is not built here"));
        let name = name.split(':').next().expect("a split has a first part");
        let found = Self::images().into_iter().find(|stage| stage.name == name);
        found.unwrap_or_else(|| panic!("the Dockerfile has no {name}"))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The last instruction of a kind.
    fn last(&self, word: &str) -> Option<&str> {
        self.instructions.iter().rev().find(|(kind, _)| kind == word).map(|(_, rest)| rest.as_str())
    }

    /// The stage itself, and the stages it is based on.
    fn lineage(&self) -> Vec<Self> {
        let base = Self::all().into_iter().find(|stage| stage.name == self.base);
        [self.clone()].into_iter().chain(base.into_iter().flat_map(|base| base.lineage())).collect()
    }

    pub(crate) fn user(&self) -> String {
        let user = self.lineage().iter().find_map(|stage| stage.last("USER").map(str::to_owned));
        user.unwrap_or_else(|| panic!("{} runs as root", self.name))
    }

    pub(crate) fn program(&self) -> String {
        let words = exec(self.last("ENTRYPOINT").expect("it is an image"));
        let [path] = &words[..] else { panic!("{words:?} is not a single program") };
        path.strip_prefix("/usr/local/bin/").expect("programs are in /usr/local/bin").to_owned()
    }

    /// The command that tells whether a container of the image is healthy.
    pub(crate) fn health_check(&self) -> Option<Vec<String>> {
        self.last("HEALTHCHECK").map(|check| exec(check.split_once(" CMD ").expect("it has a command").1))
    }
}

/// The words of a command that needs no shell.
fn exec(command: &str) -> Vec<String> {
    serde_json::from_str(command).unwrap_or_else(|error| panic!("{command} needs a shell: {error}"))
}

/// The version of Rust that builds the programs, on Debian 12.
pub(crate) fn compiler() -> String {
    let base = &Stage::all()[0].base;
    let version = base.strip_prefix("rust:").and_then(|tag| tag.strip_suffix("-slim-bookworm"));
    version.unwrap_or_else(|| panic!("{base} is not a version of Rust on Debian 12")).to_owned()
}

fn programs() -> BTreeSet<String> {
    let files = listed("bins/src/bin");
    files.iter().map(|file| file.strip_suffix(".rs").expect("a source").to_owned()).collect()
}

#[test]
fn all_programs_are_built_from_what_is_locked_and_copied() {
    let stages = Stage::all();
    let command = stages[0].last("RUN").expect("it builds");
    let package = concat!("cargo build --profile dist --locked --package ", env!("CARGO_PKG_NAME"), " --bins");
    assert!(command.contains(package), "{command}");
    let built: BTreeSet<_> = command.split(' ').filter_map(|word| word.strip_prefix("/cache/dist/")).collect();
    assert_eq!(built, programs().iter().map(String::as_str).collect());
    let copied: Vec<_> = stages.iter().filter_map(|stage| stage.last("COPY")).collect();
    assert_eq!(copied, [". .", "--from=build /programs/ /usr/local/bin/"]);
}

#[test]
fn base_images_are_arguments_of_the_build_that_the_script_sets() {
    let text = read(DOCKERFILE);
    let bases: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(bases[..2], ["${BUILD_IMAGE} AS build", "${RUNTIME_IMAGE} AS programs"]);
    let (script, stand_ins) = (read("scripts/images.py"), read("scripts/stand-in-images.sh"));
    for (argument, name) in [("BUILD_IMAGE", "build"), ("RUNTIME_IMAGE", "runtime")] {
        assert!(text.contains(&format!("\nARG {argument}=")), "{argument}");
        assert!(script.contains(&format!("\"{argument}\": \"localhost/quorate-{name}\"")), "{argument}");
        assert!(stand_ins.contains(&format!("\n{name}=localhost/quorate-{name}\n")), "{argument}");
    }
}

#[test]
fn the_compiler_is_new_enough_and_its_system_is_that_of_the_images() {
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().expect("a number")).collect() };
    assert!(version(&compiler()) >= version(env!("CARGO_PKG_RUST_VERSION")), "{}", compiler());
    assert_eq!(Stage::all()[1].base, "gcr.io/distroless/cc-debian12:nonroot");
}

#[test]
fn every_image_runs_one_of_our_programs_unprivileged_and_without_a_shell() {
    for image in Stage::images() {
        assert_eq!(image.program(), image.name);
        assert!(programs().contains(&image.name));
        let user = image.user();
        let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number, not a name")).collect();
        assert!(ids.len() == 2 && ids.iter().all(|&id| id != 0), "{} runs as {user}", image.name);
        for stage in image.lineage() {
            assert_eq!(stage.last("RUN"), None, "{} has no shell", stage.name);
        }
    }
}

#[test]
fn an_image_has_a_health_check_where_there_is_something_to_check() {
    for image in Stage::images() {
        let Some(check) = image.health_check() else {
            assert_ne!(image.name, "coordinator");
            continue;
        };
        assert_eq!(image.name, "coordinator");
        let words: Vec<_> = check.iter().map(String::as_str).collect();
        assert_eq!(words[..2], ["/usr/local/bin/quorate", "health"]);
        check_taken("quorate", &words[1..], &[]);
        assert_eq!(image.last("EXPOSE"), Some(coordinator_port().to_string().as_str()));
    }
}

/// Copies the part of a file or folder that is in the build context.
fn copy(path: &str, to: &Path, left_out: &BTreeSet<&str>) {
    let source = workspace(path);
    if !source.is_dir() {
        fs::copy(&source, to.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    fs::create_dir_all(to.join(path)).expect("a folder");
    for name in listed(path).iter().filter(|name| !left_out.contains(name.as_str())) {
        copy(&format!("{path}/{name}"), to, left_out);
    }
}

#[test]
fn the_build_context_suffices_to_resolve_the_build() {
    let ignore = read(IGNORE);
    let mut lines = ignore.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"), "the first line ignores everything");
    let (mut paths, mut left_out) = (Vec::new(), BTreeSet::new());
    for line in lines {
        match (line.strip_prefix('!'), line.strip_prefix("**/")) {
            (Some(path), _) => paths.push(path),
            (_, Some(name)) => drop(left_out.insert(name)),
            _ => panic!("this test does not know lines such as {line}"),
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    for path in paths {
        copy(path, folder.path(), &left_out);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--format-version=1"]);
    // Another target would need packages that are not on this machine.
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]).current_dir(folder.path());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let package = packages.iter().find(|package| package["name"] == env!("CARGO_PKG_NAME")).expect("ours");
    let targets = package["targets"].as_array().expect("a list").iter();
    let built: BTreeSet<_> = targets
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| target["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(built, programs());
}
