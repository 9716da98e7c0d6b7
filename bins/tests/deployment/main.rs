//! What is under `deploy/` and `.github/` against the programs that it runs: settings they accept, addresses and routes
//! they have, files that exist, the time a stop takes, and no more rights than needed. `scripts/check-deploy.sh` checks
//! the same files with schemas and with the tools of their readers. Also: what the Makefile and the scripts build, and
//! what a release says.

mod compose;
mod dockerfile;
mod feeds;
mod files;
mod kubernetes;
mod kustomize;
mod locked;
mod program;
mod release;
mod routes;
mod systemd;
mod workflows;
