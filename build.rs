//! Turns `proto/` into Rust, without protoc, and keeps the descriptors.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let files = [
        "ml_metadata/proto/metadata_store_service.proto",
        "pedigree/lineage/v1/lineage_service.proto",
    ];
    println!("cargo:rerun-if-changed=proto");

    // The raw bytes keep extensions of options, which the typed descriptors below drop.
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(files)?;
    std::fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .btree_map(".")
        // Its field 1 is reserved, yet a request that has it must be refused: a decoder of our own looks for it.
        .extern_path(
            ".ml_metadata.GetArtifactsByURIRequest",
            "crate::proto::GetArtifactsByUriRequest",
        )
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
