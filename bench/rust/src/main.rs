//! tonic as a stack of the benchmarks.

mod client;
mod server;
mod wire;

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use wire::{Answer, Spec};

mod contract {
    tonic::include_proto!("yodel.bench");
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, role, spec] = &args[..] else {
        eprintln!("usage: bench-rust role-server|role-client SPEC: the driver starts it");
        return Ok(ExitCode::from(2));
    };
    let spec: Spec = serde_json::from_str(spec)?;
    if !spec.supported() {
        wire::say(&Answer::unsupported())?;
    } else if role == "role-server" {
        server::run(&runtime()?, &spec)?;
    } else if role == "role-client" {
        client::run(&runtime()?, &spec)?;
    } else {
        wire::say(&Answer::unsupported())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Two workers, as C++'s stack has two threads; this thread talks to the driver.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
