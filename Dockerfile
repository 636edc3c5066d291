# syntax=docker/dockerfile:1
# rrpy in a container: a wheel is built and installed into a virtual environment, and the image gets that alone.
# It catches mail: SMTP on port 1025, the page on port 8025.
# docker build -t rrpy . && docker run --rm -p 127.0.0.1:1025:1025 -p 127.0.0.1:8025:8025 rrpy

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .
# Without pip: a running container installs nothing.
RUN python -m venv --without-pip /opt/rrpy
RUN python -m pip --python /opt/rrpy/bin/python install --no-cache-dir --no-compile "$(ls /wheel/rrpy-*.whl)[mcp,nats,re2]"
RUN /opt/rrpy/bin/python -m compileall -q /opt/rrpy/lib

FROM python:3.13-slim
LABEL org.opencontainers.image.title="rrpy" \
      org.opencontainers.image.description="Catches the mail of your application; a plugin host with worker pools that speaks RoadRunner's protocols" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/rrpy /opt/rrpy
COPY examples/docker/rr.yaml /etc/rrpy/rr.yaml
ENV PATH=/opt/rrpy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
# A number, so that Kubernetes can see that it is not root; it needs no entry in /etc/passwd.
USER 10001:10001
# SMTP; the page; health checks; metrics. RPC (6001) stays inside: `docker exec CONTAINER rrpy tail -c /etc/rrpy/rr.yaml`.
EXPOSE 1025 8025 2114 2112
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:2114/health?plugin=smtp', timeout=4)"]
STOPSIGNAL SIGTERM
# No shell around it: SIGTERM arrives at the host.
ENTRYPOINT ["rrpy"]
CMD ["serve", "-c", "/etc/rrpy/rr.yaml"]
