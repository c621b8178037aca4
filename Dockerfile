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
      .ci/setup.sh && cargo build --locked --release --package taster && BINARY=target/release/taster; \
    fi && \
    install -D --mode=755 "${BINARY:-target/release/taster}" /out/taster && \
    /out/taster probe precompile /out/code

FROM ${BASE_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="taster" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.description="Compares a MongoDB database before and after a deployment and fails the deployment when data was lost or changed" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/taster /usr/local/bin/taster
# the standard probes, compiled ahead: a cold Job spends no time on it
COPY --from=build /out/code /usr/lib/taster/code
COPY LICENSE /usr/share/doc/taster/LICENSE
# by number: a kubelet that enforces `runAsNonRoot` cannot look a name up
USER 65532:65532
# the only place that is written to beside the store: a volume, where the root is read-only
ENV TASTER_CACHE=/tmp/taster TASTER_CODE=/usr/lib/taster/code HOME=/tmp
WORKDIR /etc/taster
ENTRYPOINT ["/usr/local/bin/taster"]
