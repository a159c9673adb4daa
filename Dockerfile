# Builds the program and leaves only what runs. Distroless rather than a slim Debian, because there is no shell, npm or
# package manager in it to be patched or misused, and it brings the user 65532 that the chart runs as.
# Both bases are pinned, so that a build does not change with their tags; `crane digest` tells a tag's present digest.
# They can be replaced, by a mirror's for example: --build-arg RUNTIME_BASE=…
ARG BUILD_BASE=docker.io/library/node:24-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe
ARG RUNTIME_BASE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:af85d11ce7ef10172855a6e3649e3e8125b1b9e3ca41849ec2918036f05cb212

# Dependencies come before sources, so that a change of the sources leaves them in the build's cache.
FROM ${BUILD_BASE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# What only compilers and debuggers read is two fifths of it.
RUN npm ci --omit=dev --no-audit --no-fund --ignore-scripts \
  && find node_modules \( -name '*.d.ts' -o -name '*.d.?ts' -o -name '*[jt]s.map' -o -name '*.tsbuildinfo' \) -type f -exec rm {} + \
  && rm -f node_modules/.package-lock.json

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY scripts/bundle.mjs scripts/bundle.names.mjs scripts/bundle.plugins.mjs scripts/
COPY src src
RUN npm run build && mkdir /data

FROM ${RUNTIME_BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="oci-registry" \
  org.opencontainers.image.description="Pull-through mirror for container images from any OCI registry" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Where distroless has Node.js, before the usual places. With a bucket, downloads wait in TMPDIR for their upload: on a
# disk, which /tmp may not be. Node's four threads for files would all wait for the disk while several clients push.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin \
  NODE_ENV=production \
  TMPDIR=/data \
  UV_THREADPOOL_SIZE=16 \
  FILESYSTEM_ROOT=/data
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=dependencies /app/node_modules node_modules
# Without the declarations, which are for builds.
COPY --from=build /app/dist/*.js dist/
COPY --from=build /app/dist/storage/*.js dist/storage/
COPY --from=build /app/dist/chunks dist/chunks
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
# Asks the address that LISTEN names, by IPv4 or IPv6 if it names all; another scheme or a socket file needs a health check
# of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=6 \
  CMD ["node", "-e", "const [, host, port] = /^(.*):(.+)$/.exec(process.env.LISTEN || '0.0.0.0:8080'); const hosts = /^(0[.]0[.]0[.]0|[[][0:]+[\\]])?$/.test(host) ? ['127.0.0.1', '[::1]'] : [host]; Promise.any(hosts.map((name) => fetch('http://' + name + ':' + port + '/healthz').then((answer) => answer.ok || Promise.reject()))).then(() => process.exit(0), () => process.exit(1))"]
# A small young generation: what lives long here are bytes outside of the heap.
ENTRYPOINT ["node", "--max-semi-space-size=2", "dist/main"]
CMD ["filesystem"]
