# The page in a container:  docker build -t assistant .  &&  docker run -p 8501:8501 -v threads:/data assistant
FROM python:3.12-slim-trixie@sha256:57cd7c3a7a273101a6485ba99423ee568157882804b1124b4dd04266317710de

# Does not run as root, and the user it runs as cannot change the application.
RUN useradd --system --uid 10001 assistant && install -d -o assistant /data
WORKDIR /app

# Installed first, so that a change of the application does not reinstall packages: exactly the files of the lock, by their
# hashes. It is made, with uv from PyPI and --upgrade for newer versions, by
#   grep -v '^pytest' requirements.txt | uv pip compile - --generate-hashes --no-header --no-annotate \
#     --python-version 3.12 --python-platform linux -o deploy/requirements.lock
COPY deploy/requirements.lock deploy/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r deploy/requirements.lock

COPY .streamlit/config.toml .streamlit/
COPY deploy/health.py deploy/serve.py deploy/
COPY assistant assistant
COPY streamlit_app.py ./
RUN python -m compileall -q assistant

USER assistant
ENV HOME=/data \
    PYTHONUNBUFFERED=1 \
    ASSISTANT_DATABASE_URL=sqlite:////data/threads.sqlite \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "deploy/health.py"]
CMD ["python", "deploy/serve.py"]
