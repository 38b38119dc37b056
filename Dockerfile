# syntax=docker/dockerfile:1
#
#     docker buildx build --platform linux/amd64,linux/arm64 \
#         --build-arg COMMIT=$(git rev-parse HEAD) -t IMAGE .

# The compiler runs on the builder's architecture and compiles for the target's.
FROM --platform=$BUILDPLATFORM rust:1.94-slim-bookworm AS build
ARG BUILDARCH TARGETARCH
RUN <<'SH'
set -eu
case $TARGETARCH in
amd64) cpu=x86_64 ;;
arm64) cpu=aarch64 ;;
*) echo "the image is for amd64 and arm64, not for $TARGETARCH" >&2 && exit 1 ;;
esac
if [ "$BUILDARCH" != "$TARGETARCH" ]; then
    apt-get update
    apt-get install -y --no-install-recommends "gcc-$(echo $cpu | tr _ -)-linux-gnu" "libc6-dev-$TARGETARCH-cross"
    rm -rf /var/lib/apt/lists/*
    rustup target add "$cpu-unknown-linux-gnu"
fi
cat >"$CARGO_HOME/config.toml" <<TOML
[build]
target = "$cpu-unknown-linux-gnu"

[target.$cpu-unknown-linux-gnu]
linker = "$cpu-linux-gnu-gcc"
TOML
SH

# The dependencies are built in a layer of their own, with an empty program.
WORKDIR /source
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' | tee build.rs >src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked

COPY build.rs ./
COPY proto proto
COPY assets assets
COPY migrations migrations
COPY templates templates
COPY src src
ARG COMMIT=unknown
# Cargo compares file times, and the files of a checkout may be older than the empty program.
RUN touch build.rs src/main.rs src/lib.rs \
    && PEDIGREE_COMMIT=$COMMIT cargo build --release --locked \
    && install -D target/*/release/pedigree /image/pedigree

# Debian's smallest image has the commands that Kubeflow's TLS overlay runs (/bin/sh, sed, cat), the
# C library that the program is linked with, and security updates that scanners recognize. Images
# without a shell break that overlay; BusyBox's has no libgcc.
FROM debian:bookworm-slim
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Pedigree" \
      org.opencontainers.image.description="A metadata and lineage server for machine learning that speaks the ML Metadata gRPC protocol" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$COMMIT"
RUN ln -s pedigree /bin/metadata_store_server \
    && install -d -o 1000 -g 0 -m 0770 /data
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/pedigree /bin/

# The database is written to /data and temporary files to /tmp; everything else can be read-only.
WORKDIR /data
USER 1000:0
EXPOSE 8080
STOPSIGNAL SIGTERM

# The variables and the default command of ML Metadata's image. It drops further arguments; here
# they are passed to the server.
ENV GRPC_PORT=8080 METADATA_STORE_SERVER_CONFIG_FILE=""
ENTRYPOINT ["/bin/sh", "-c", "exec /bin/metadata_store_server --grpc_port=\"$GRPC_PORT\" --metadata_store_server_config_file=\"$METADATA_STORE_SERVER_CONFIG_FILE\" \"$@\"", "metadata_store_server"]
