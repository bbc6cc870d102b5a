//! Generates the Rust side of the contract, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../protos");
    println!("cargo:rerun-if-changed=../protos");
    let files = protox::compile(
        ["echo.proto", "details.proto"],
        ["../../protos", "../protos"],
    )?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
