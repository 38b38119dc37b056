//! Turns `proto/` into Rust, without protoc, and keeps the descriptors. Finds the commit.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    compile_protos()?;
    let commit = commit()?.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=PEDIGREE_COMMIT={commit}");
    Ok(())
}

/// The commit that is built: the variable `PEDIGREE_COMMIT`, as for images, or that of the
/// checkout. Debug builds do not ask git, as each commit would then compile the crate again.
fn commit() -> Result<Option<String>, env::VarError> {
    println!("cargo:rerun-if-env-changed=PEDIGREE_COMMIT");
    if let Ok(commit) = env::var("PEDIGREE_COMMIT")
        && !commit.is_empty()
    {
        return Ok(Some(commit));
    }
    // A source archive may lie within the checkout of something else.
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    if env::var("PROFILE")? != "release" || !root.join(".git").exists() {
        return Ok(None);
    }
    let mut changed = vec!["HEAD".to_owned(), "packed-refs".to_owned()];
    changed.extend(git(&root, &["symbolic-ref", "--quiet", "HEAD"]));
    for file in changed {
        // A path that does not exist would count as changed in every build.
        if let Some(path) = git(&root, &["rev-parse", "--git-path", &file])
            && root.join(&path).exists()
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    Ok(git(&root, &["rev-parse", "HEAD"]))
}

/// The output of git, or none without git or with a checkout that it does not accept.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then(|| text.trim().to_owned())
}

fn compile_protos() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = [
        "ml_metadata/proto/metadata_store_service.proto",
        "pedigree/audit/v1/audit_service.proto",
        "pedigree/lineage/v1/lineage_service.proto",
        "pedigree/registry/v1/registry_service.proto",
        "pedigree/reproduction/v1/reproduction_service.proto",
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
        .codec_path("crate::proto::codec::ProtobufCodec")
        // Field 1 is reserved, yet a request that has it is refused: `src/proto/mod.rs` decodes it.
        .extern_path(
            ".ml_metadata.GetArtifactsByURIRequest",
            "crate::proto::GetArtifactsByUriRequest",
        )
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
