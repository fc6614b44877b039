"""Dockerfiles that follow "Your own Dockerfile" in a service's README, and what else they need in app/."""

PYTHON = {
    "Dockerfile": b"""\
FROM public.ecr.aws/docker/library/python:3.12-slim AS base
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

FROM base AS test
COPY . .
RUN pip install --no-cache-dir pytest && mkdir reports && chown 1000 reports
USER 1000
CMD ["pytest", "--junitxml=reports/junit.xml"]

FROM base AS service
COPY src ./src
USER 1000
EXPOSE 8080
ENTRYPOINT ["python", "-m", "src.main"]
""",
    "requirements.txt": b"",
    "src/main.py": b"",
}
GO = {
    "Dockerfile": b"""\
ARG GO=1.24
FROM --platform=$BUILDPLATFORM golang:${GO} AS build
WORKDIR /app
COPY . .
RUN CGO_ENABLED=0 go build -o /service ./cmd/service

FROM build AS test
RUN go install gotest.tools/gotestsum@v1.12.0
CMD ["gotestsum", "--junitfile", "/app/reports/junit.xml", "./..."]

FROM scratch
COPY --from=build /service /service
COPY --from=alpine:3.22 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 1000
ENTRYPOINT ["/service"]
""",
    "go.mod": b"module service\n",
    "cmd/service/main.go": b"package main\n\nfunc main() {}\n",
}
