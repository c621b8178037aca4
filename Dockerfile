# The host with the standard probes in it.
#
#   make image                     compiled in here, from the sources
#   make image BINARY=target/…     a binary that is there already
#
# Both bases are arguments, so that it also builds where no registry can be reached: manifests/local/bases.sh makes them
# of Debian packages.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
ARG BINARY=
WORKDIR /src
COPY . .
RUN if [ -z "$BINARY" ]; then \
      .ci/setup.sh && cargo build --locked --release --package taster-taster && BINARY=target/release/taster; \
    fi && \
    install -D --mode=755 "${BINARY:-target/release/taster}" /out/taster

FROM ${BASE_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="taster" \
      org.opencontainers.image.description="Tastes a database before and after an upgrade and says whether it still tastes the same" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/taster /usr/local/bin/taster
COPY LICENSE /usr/share/doc/taster/LICENSE
# by number: a kubelet that enforces `runAsNonRoot` cannot look a name up
USER 65532:65532
# the only place that is written to beside the store: a volume, where the root is read-only
ENV TASTER_CACHE=/tmp/taster HOME=/tmp
WORKDIR /etc/taster
ENTRYPOINT ["/usr/local/bin/taster"]
