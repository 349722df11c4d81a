# Stands in for rust:1.95-slim-trixie where no registry answers: scripts/base-images.sh builds it from a context that holds
# this file and the `bin` and `lib` of the machine's own toolchain.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
ENV CARGO_HOME=/usr/local/cargo
COPY bin /usr/local/bin
COPY lib /usr/local/lib
RUN cargo --version && rustc --version
