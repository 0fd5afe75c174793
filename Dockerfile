# The image of every Airflow service in docker-compose.yml. docs/SERVER.md says how to build and run it.
# Pinned by tag; add the digest of your registry (python:...@sha256:...) if your policy asks for it.

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# uv first, in a layer of its own: it changes least. It stays behind in this stage.
COPY requirements-bootstrap.txt ./
RUN python -m venv /build/bootstrap \
    && /build/bootstrap/bin/pip install --require-hashes -r requirements-bootstrap.txt
COPY requirements.txt requirements-server.txt ./
RUN /build/bootstrap/bin/uv venv --python python3.11 /opt/venv \
    && /build/bootstrap/bin/uv pip install --python /opt/venv --require-hashes --compile-bytecode \
       -r requirements.txt -r requirements-server.txt

FROM python:3.11.14-slim-bookworm
# The user whose files under ./data the services read and write. `make env` writes both numbers into .env.
ARG SERVER_UID=50000
ARG SERVER_GID=50000
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/titans \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1 \
    AIRFLOW_HOME=/tmp/airflow \
    HOME=/tmp
RUN test "$SERVER_UID" -ne 0 \
    && groupadd --non-unique --gid "$SERVER_GID" titans \
    && useradd --non-unique --uid "$SERVER_UID" --gid "$SERVER_GID" --no-create-home --home-dir /tmp --shell /usr/sbin/nologin titans \
    && install -d -o "$SERVER_UID" -g "$SERVER_GID" -m 0750 /opt/titans/data /opt/titans/files /opt/titans/logs /opt/titans/auth /published
COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/titans
COPY dags/ dags/
COPY include/ include/
COPY titans/ titans/
COPY dbt_project/ dbt_project/
# Code belongs to root and can be read by all, whatever the umask of the checkout was; the services cannot change it.
# Compiled here, since each task is a process that could not keep what it compiles.
RUN python -m compileall -q dags include titans && chmod -R u=rwX,go=rX dags include titans dbt_project
USER ${SERVER_UID}:${SERVER_GID}
CMD ["airflow", "version"]
