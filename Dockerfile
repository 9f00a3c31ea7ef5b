# The service, without a Redis: RESERVESVC_REDIS_URL names one (deploy/compose.yaml has both).
#
#   docker build -t reservesvc .

FROM python:3.11-slim-bookworm AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src

# First what changes seldom: the packages, each with the hash it must have.
COPY requirements/build.txt requirements/production.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
RUN python -m venv /opt/reservesvc \
 && /opt/reservesvc/bin/pip install --require-hashes -r requirements/production.txt

COPY README.md pyproject.toml ./
COPY reservesvc reservesvc
COPY lua lua
RUN /opt/build/bin/hatchling build -t wheel -d dist \
 && /opt/reservesvc/bin/pip install --no-index --no-deps dist/*.whl

FROM python:3.11-slim-bookworm
COPY --from=builder /opt/reservesvc /opt/reservesvc
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin reservesvc \
 && install -d -o reservesvc -g reservesvc -m 700 /data
USER reservesvc
WORKDIR /data
VOLUME /data

# Reachable from outside, which takes an API key: without one the service refuses to start.
ENV PATH=/opt/reservesvc/bin:$PATH \
    RESERVESVC_HOST=0.0.0.0 \
    RESERVESVC_PORT=8080 \
    RESERVESVC_DATA_DIR=/data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['RESERVESVC_PORT'] + '/readyz', timeout=4)"]

ENTRYPOINT ["reservesvc"]
CMD ["serve"]
