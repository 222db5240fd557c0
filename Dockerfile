# An image with nothing but nodeinit, for COPY --from=nodeinit /nodeinit /nodeinit in your Dockerfile.
#   docker build -t nodeinit .
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/nodeinit --push .
# BuildKit sets BUILDPLATFORM and TARGETARCH. Without it both are this machine's.
FROM --platform=${BUILDPLATFORM:-linux} golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETARCH
# With the flags of the Makefile.
RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w -funcalign=16" \
    -gcflags=all=-l -gcflags=runtime/...= -gcflags=github.com/nodeinit/nodeinit/cluster= -gcflags=github.com/nodeinit/nodeinit/logs= -gcflags=bytes= -o /nodeinit ./cmd/nodeinit

FROM scratch
COPY --from=build /nodeinit /nodeinit
ENTRYPOINT ["/nodeinit"]
