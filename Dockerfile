# The auditor as an image: docker run --rm -v "$PWD:/repo:ro" deploy-audit
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv /opt/deploy-audit \
    && /opt/deploy-audit/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/runtime.txt \
    && pip install --require-hashes --no-deps --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY auditor auditor
COPY rules rules
RUN python -m hatchling build -t wheel -d /dist \
    && /opt/deploy-audit/bin/pip install --no-deps --no-index /dist/*.whl

FROM python:${PYTHON_VERSION}-slim-bookworm
COPY --from=build /opt/deploy-audit /opt/deploy-audit
ENV PATH=/opt/deploy-audit/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
# Reads what is mounted, writes nothing, owns nothing.
USER 65534:65534
WORKDIR /repo
ENTRYPOINT ["deploy-audit"]
CMD ["."]
