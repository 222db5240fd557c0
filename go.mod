module github.com/nodeinit/nodeinit

go 1.26.0

require (
	github.com/caarlos0/env/v10 v10.0.0
	github.com/hashicorp/go-reap v0.0.0-20170704170343-bf58d8a43e7b
	github.com/spf13/pflag v1.0.10
	golang.org/x/sys v0.49.0
)
