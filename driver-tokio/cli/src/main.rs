//! The command `handfast`: finds your other devices, pairs with them once, and sends files.
//!
//! Only ties things together: `args` reads the command line, `cmd` has a file a command, `output` tells,
//! `exit` knows how a command can fail.

mod args;
mod cmd;
mod exit;
mod home;
mod lock;
mod node;
mod output;
mod peer;
mod transfer;

use args::{Args, Command, Global, Pair};
use clap::Parser as _;
use exit::{Failure, Kind};
use home::Home;
use node::Session;
use output::{Done, Event, Output};
use std::process::ExitCode;
use std::time::Duration;

/// How long the end waits for a file that is just being removed, or for a prompt that nobody answers.
const THREADS_WITHIN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let output = if args.global.json { Output::json() } else { Output::text() };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&output, Err(Kind::Internal.because(error))),
    };
    let result = runtime.block_on(run(args, &output));
    runtime.shutdown_timeout(THREADS_WITHIN);
    end(&output, result)
}

async fn run(args: Args, output: &Output) -> Result<Done, Failure> {
    let Args { global, command } = args;
    let done = Ok(Done { ok: true, figures: None });
    let open = || Home::open(global.home.as_deref());
    match command {
        Command::Demo { size } => until_interrupted(cmd::demo::run(&global, output, size)).await,
        Command::Peers => cmd::peers::run(&open()?, output).and(done),
        Command::Forget { peer } => cmd::forget::run(&open()?, output, &peer).and(done),
        Command::Id => cmd::id::run(&open()?, output).and(done),
        Command::Ban { device } => cmd::ban::run(&open()?, output, &device).and(done),
        Command::Unban { fingerprint } => cmd::ban::lift(&open()?, output, fingerprint).and(done),
        Command::Trust { fingerprint } => {
            let mut session = start(&global, output, open()?).await?;
            let result = until_interrupted(cmd::trust::run(&mut session, &global, output, fingerprint)).await;
            finish(session, result).await.and(done)
        }
        Command::Discover => {
            let mut session = start(&global, output, open()?).await?;
            let result = until_interrupted(cmd::discover::run(&mut session, &global, output)).await;
            finish(session, result).await.and(done)
        }
        Command::Pair { first, second } => {
            let what = Pair::new(first, second)?;
            let mut session = start(&global, output, open()?).await?;
            let result = until_interrupted(cmd::pair::run(&mut session, &global, output, what)).await;
            finish(session, result).await.and(done)
        }
        Command::Send { files, peer } => {
            let home = open()?;
            let job = cmd::send::Job::new(&home, files, &peer)?;
            let mut session = start(&global, output, home).await?;
            let result = until_interrupted(job.run(&mut session, &global, output)).await;
            finish(session, result).await.and(done)
        }
        Command::Recv { dir } => {
            let folder = cmd::recv::folder(&dir)?;
            let mut session = start(&global, output, open()?).await?;
            let result = until_interrupted(cmd::recv::run(&mut session, &global, output, folder)).await;
            finish(session, result).await.and(done)
        }
    }
}

async fn start(global: &Global, output: &Output, home: Home) -> Result<Session, Failure> {
    until_interrupted(Session::start(global, node::consent(global, output), home)).await
}

/// Says goodbye, whatever came of the command. Who cannot wait interrupts again.
async fn finish<T>(session: Session, result: Result<T, Failure>) -> Result<T, Failure> {
    tokio::select! {
        () = session.shutdown() => {}
        () = interrupted() => {}
    }
    result
}

/// Drops the work at Ctrl-C: nothing of it is left half done.
async fn until_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        () = interrupted() => Err(Kind::Interrupted.because("interrupted")),
    }
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// The last lines, and the exit code.
fn end(output: &Output, result: Result<Done, Failure>) -> ExitCode {
    match result {
        Ok(done) => {
            output.tell(&Event::Done(done));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            output.fail(&failure);
            output.tell(&Event::Done(Done::default()));
            failure.kind.code().into()
        }
    }
}

/// What clap says of a command line, and of `--help`. In JSON too where that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if json && error.use_stderr() {
        return end(&Output::json(), Err(Kind::Usage.because(error.to_string().trim_end())));
    }
    // A reader that went away is no reason to fail.
    let _ = error.print();
    if error.use_stderr() { Kind::Usage.code().into() } else { ExitCode::SUCCESS }
}
