//! The command `handfast`: finds your other devices, pairs with them once, and sends files.
//!
//! Only ties things together: `args` reads the command line, `lead` has its order carried out by this process or by
//! the one that is the node, `cmd` has a file a command, `output` tells, `exit` knows how a command can fail.

mod args;
mod book;
mod cmd;
mod exit;
mod home;
mod hub;
mod lead;
mod lock;
mod msgpack;
mod node;
mod output;
mod peer;
mod servers;
mod service;
mod settings;
mod transfer;
mod work;

use args::{Args, Command};
use clap::Parser as _;
use exit::{Failure, Kind};
use home::Home;
use output::{Done, Event, Output, Screen};
use std::process::ExitCode;
use std::time::Duration;

/// How long the end waits for a file that is just being removed, or for a prompt that nobody answers.
const THREADS_WITHIN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    if let Command::Completions { shell } = args.command {
        cmd::completions::run(shell);
        return ExitCode::SUCCESS;
    }
    let mut screen = if args.global.json { Screen::json() } else { Screen::text() };
    if args.uses_stdout() {
        screen = screen.on_error();
    }
    let output = Output::Here(screen.clone());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&output, Err(Kind::Internal.because(error))),
    };
    let result = runtime.block_on(run(args, screen));
    runtime.shutdown_timeout(THREADS_WITHIN);
    end(&output, result)
}

async fn run(args: Args, screen: Screen) -> Result<Done, Failure> {
    if let Command::Demo { size } = args.command {
        let output = Output::Here(screen);
        return until_interrupted(cmd::demo::run(&args.global, &output, size)).await;
    }
    if let Command::Serve(serve) = &args.command {
        return cmd::serve::run(&args.global, serve, &Output::Here(screen)).await;
    }
    let home = Home::folder(args.global.home.as_deref())?;
    let order = args.order(&screen)?;
    lead::run(&home, order, screen).await?;
    Ok(Done { ok: true, figures: None })
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
        return end(&Output::Here(Screen::json()), Err(Kind::Usage.because(error.to_string().trim_end())));
    }
    // A reader that went away is no reason to fail.
    let _ = error.print();
    if error.use_stderr() { Kind::Usage.code().into() } else { ExitCode::SUCCESS }
}
