# One image for every role: the command says which (`up`, `serve order`, `order place`, …).

FROM rust:1.95.0-slim-bookworm AS build
# The allocator is built by it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The registry and the target folder live in caches of the builder, so that a change compiles what
# it touches; caches are no part of a layer, hence the copy.
# The allocator cannot do with larger pages than it was built for, and kernels for arm64 differ in theirs.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    if [ "$(uname -m)" = aarch64 ]; then export JEMALLOC_SYS_WITH_LG_PAGE=16; fi \
    && cargo build --release --locked --package waybill-cli \
    && cp target/release/waybill /usr/local/bin/waybill

FROM debian:12.13-slim
# A number, so that an orchestrator can see that it is not root.
RUN groupadd --gid 65532 waybill \
    && useradd --uid 65532 --gid 65532 --no-create-home --shell /usr/sbin/nologin waybill \
    && install --directory --owner=65532 --group=65532 /var/lib/waybill
COPY --from=build /usr/local/bin/waybill /usr/local/bin/waybill
USER 65532:65532
ENV WAYBILL_DATA_DIR=/var/lib/waybill \
    WAYBILL_GRPC_ADDR=0.0.0.0:50051 \
    WAYBILL_HTTP_ADDR=0.0.0.0:9464
VOLUME /var/lib/waybill
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["waybill", "health"]
ENTRYPOINT ["waybill"]
CMD ["up"]
