# Three images from one file: `lab` plays the peer, `server` is the test server, `tests` runs the lab's own tests.
# Nothing here needs BuildKit.

# ---- Debian's Python
FROM debian:trixie-slim AS python
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*
ENV PATH=/opt/lab/bin:$PATH LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# ---- the lab's virtual environment: packages checked by their hashes, and no pip
FROM python AS builder
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
ENV PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all:
RUN python3 -m venv tools \
 && tools/bin/pip install -q --require-hashes -r requirements-build.lock \
 && python3 -m venv --without-pip /opt/lab \
 && tools/bin/pip --python /opt/lab/bin/python install -q --no-compile --require-hashes -r requirements.lock \
 && rm -rf /opt/lab/share && find /opt/lab -name '*.pyi' -delete
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY lab lab
COPY scenarios scenarios
# The file systems of the containers are read-only: what is not compiled here is compiled again at every start. Left as
# they are: the protocols that Scapy loads only when it is told to, and the languages that Pygments knows.
RUN tools/bin/hatchling build -t wheel \
 && tools/bin/pip --python /opt/lab/bin/python install -q --no-compile --no-deps dist/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash -x '/(contrib|modules|tools|lexers|styles)/' /opt/lab

# ---- the peer
FROM python AS lab
COPY --from=builder /opt/lab /opt/lab
COPY docker/as-owner /usr/local/bin/
WORKDIR /clone
ENTRYPOINT ["as-owner", "lab"]
CMD ["run"]

# ---- the test server
FROM python AS server
COPY --from=builder /opt/lab /opt/lab
RUN useradd --system --uid 10001 --home-dir / --shell /usr/sbin/nologin server
USER server
# echo, discard, half-close, close-first, WebSocket; the agent's port is open only where LAB_CONTROL and LAB_TOKEN say so
EXPOSE 7007 7009 7010 7011 7080
HEALTHCHECK --interval=10s --timeout=5s --retries=3 CMD ["python", "-m", "lab.server.health"]
ENTRYPOINT ["lab", "serve"]

# ---- the lab's own tests, in a clone as a developer has it
FROM builder AS tests
COPY requirements-dev.lock ./
RUN tools/bin/pip --python /opt/lab/bin/python install -q --no-compile --require-hashes \
        -r requirements-build.lock -r requirements-dev.lock
WORKDIR /clone
COPY . .
RUN /build/tools/bin/pip --python /opt/lab/bin/python install -q --no-deps --no-build-isolation --editable .
ENTRYPOINT ["python", "-m", "pytest"]
