# One image for the service and for the camera worker: the command says which.
#   docker build -t platepay .
#   docker run -p 8080:8080 -v platepay:/data platepay                       (the service)
#   docker run -v ./cameras.toml:/etc/platepay/cameras.toml platepay watch --camera lane-1

FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY vision vision
COPY cameras cameras
COPY wallet wallet
COPY api api
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist .
# An environment of its own: nothing of the checkout is in the image but the wheel.
RUN python -m venv /opt/platepay \
 && wheel=$(ls /dist/platepay-*.whl) \
 && /opt/platepay/bin/pip install --no-cache-dir -c constraints.txt "${wheel}[postgres]"

FROM python:3.11-slim
RUN groupadd --gid 10001 platepay \
 && useradd --uid 10001 --gid platepay --home-dir /data --shell /usr/sbin/nologin platepay \
 && install -d -o platepay -g platepay -m 0750 /data /etc/platepay
COPY --from=build /opt/platepay /opt/platepay
ENV PATH=/opt/platepay/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PLATEPAY_DATA_DIR=/data \
    PLATEPAY_HOST=0.0.0.0 \
    PLATEPAY_PORT=8080
USER platepay
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PLATEPAY_PORT'] + '/readyz', timeout=2)"]
ENTRYPOINT ["platepay"]
CMD ["serve"]
