package main

import "fmt"

const version = "0.1.0"

const versionHelp = "nodeinit version\n\nPrints the version."

func (a *app) version(args []string) int {
	if err := noArguments("version", args); err != nil {
		return a.usageError(err)
	}
	fmt.Fprintf(a.stdout, "nodeinit %s\n", version)
	return 0
}
