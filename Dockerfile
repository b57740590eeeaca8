# memweb from this checkout. Build: docker build -t memweb . ; what it starts is the container's command.
FROM python:3.13-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheel .

FROM python:3.13-slim
COPY requirements.lock /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir --no-deps /wheel/*.whl \
    && useradd --create-home --uid 1000 memweb \
    && install -d -o memweb -g memweb -m 700 /data
USER memweb
ENV MEMWEB_HOME=/data MEMWEB_HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["memweb"]
CMD ["start", "web"]
