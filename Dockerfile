# The agent's image. Both bases need Python (3.11 or later, the same minor version in both) and a shell; the build base
# also needs pip. Nothing of the build base reaches the image but what is copied from /rootfs.
ARG BUILD_BASE=docker.io/library/python:3.12-slim-bookworm
ARG RUNTIME_BASE=docker.io/library/python:3.12-slim-bookworm

FROM ${RUNTIME_BASE} AS base

FROM ${BUILD_BASE} AS build
# Both secrets are optional: pip's configuration (another index) and the certificates that pip checks the index with.
# They are files of the build's environment, and no layer holds them. The timeout ends pip where no index answers.
ARG PACKAGES=agent
COPY requirements/${PACKAGES}.txt /build/requirements.txt
RUN --mount=type=secret,id=pip,target=/run/build/pip.conf --mount=type=secret,id=ca,target=/run/build/ca.pem \
    set -eu; \
    if [ -s /run/build/pip.conf ]; then export PIP_CONFIG_FILE=/run/build/pip.conf; fi; \
    if [ -s /run/build/ca.pem ]; then export PIP_CERT=/run/build/ca.pem; fi; \
    timeout 300 python3 -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action ignore \
        --require-hashes --no-deps --only-binary :all: --no-compile --target /rootfs/opt/launch-agent/lib \
        --requirement /build/requirements.txt; \
    rm -rf /rootfs/opt/launch-agent/lib/bin; \
    rm -rf /rootfs/opt/launch-agent/lib/*/tests /rootfs/opt/launch-agent/lib/*/benchmarks
# Only the agent; not the queue server.
COPY agent/launch_agent /rootfs/opt/launch-agent/lib/launch_agent
COPY schema/*.json /rootfs/opt/launch-agent/lib/launch_agent/schema/
# The authorities that the base distribution trusts, because a bare runtime base has none. Byte code is not checked
# against its source: the root is read-only, so both are what they were built as.
RUN set -eu; \
    mkdir -p /rootfs/opt/launch-agent/bin /rootfs/usr/local/bin /rootfs/home/launch_agent/.config/wandb; \
    chown -R 1000:1000 /rootfs/home/launch_agent; \
    cat /usr/share/ca-certificates/mozilla/*.crt > /rootfs/opt/launch-agent/ca-certificates.pem; \
    printf '%s\n' '#!/usr/bin/env -S python3 -I -S' \
        '# Isolated: neither PYTHON* variables nor the user can put another module in the way.' \
        'import sys' \
        'sys.path.insert(0, "/opt/launch-agent/lib")' \
        'from launch_agent.cli import main' \
        'sys.exit(main())' > /rootfs/opt/launch-agent/bin/launch-agent; \
    chmod 755 /rootfs/opt/launch-agent/bin/launch-agent; \
    ln -s /opt/launch-agent/bin/launch-agent /rootfs/usr/local/bin/launch-agent; \
    python3 -m compileall -q --invalidation-mode unchecked-hash -s /rootfs /rootfs/opt/launch-agent/lib

FROM base
COPY --from=build /rootfs/ /
# Bases ship the standard library without byte code: what the agent imports is compiled here, since a read-only root
# would have it compiled at every start. The user gets its name, and pip and its kind go.
COPY ci/agentimage/finish.py /tmp/finish.py
RUN python3 -I -S /tmp/finish.py && rm /tmp/finish.py
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="launch-agent" \
      org.opencontainers.image.description="An independent, wire-compatible agent for W&B Launch queues" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV HOME=/home/launch_agent \
    LANG=C.UTF-8 \
    SSL_CERT_FILE=/opt/launch-agent/ca-certificates.pem
USER 1000:1000
WORKDIR /home/launch_agent
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["launch-agent"]
CMD ["run"]
