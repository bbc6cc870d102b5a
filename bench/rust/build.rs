//! Generates the Rust side of the contract, without protoc. Bodies are Bytes,
//! which tonic decodes without a copy.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../protos");
    let files = protox::compile(["bench.proto"], ["../protos"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
