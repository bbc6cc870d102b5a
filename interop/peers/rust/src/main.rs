//! tonic as a peer: see interop/internal/peer.
//!
//!     peer client ADDRESS [CA]
//!     peer server ADDRESS [CERTIFICATE KEY]

mod client;
mod contract;
mod echoing;
mod server;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["client", address] => client::check(address, None).await,
        ["client", address, ca] => client::check(address, Some(ca)).await,
        ["server", address] => server::serve(address, None).await,
        ["server", address, cert, key] => server::serve(address, Some((cert, key))).await,
        _ => {
            eprintln!("usage: peer client ADDRESS [CA] | server ADDRESS [CERTIFICATE KEY]");
            Ok(ExitCode::from(2))
        }
    }
}
