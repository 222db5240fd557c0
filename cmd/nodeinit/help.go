package main

import (
	"fmt"
	"strings"

	"github.com/nodeinit/nodeinit/config"
)

const helpHelp = "nodeinit help [FLAG or SUBCOMMAND]"

// help prints what fits a screen, or more about one flag or subcommand.
func (a *app) help(args []string) int {
	switch {
	case len(args) == 0:
		fmt.Fprint(a.stdout, usage())
		return 0
	case len(args) > 1:
		return a.usageError(fmt.Errorf("help: %q: one word only (try nodeinit help grace)", args[1]))
	}
	word := strings.TrimLeft(args[0], "-")
	if text := config.Help(word); text != "" {
		fmt.Fprint(a.stdout, text)
		return 0
	}
	if s := findSubcommand(word); s != nil {
		fmt.Fprintln(a.stdout, s.help)
		return 0
	}
	hint := "see nodeinit --help"
	if near := config.Nearest(word, append(subcommandNames(), config.Names()...)); near != "" {
		hint = "did you mean " + near + "?"
	}
	return a.usageError(fmt.Errorf("help: %q: no such flag or subcommand (%s)", args[0], hint))
}

func subcommandNames() (names []string) {
	for _, s := range subcommands() {
		names = append(names, s.name)
	}
	return names
}

func usage() string {
	names := subcommandNames()
	return "nodeinit [flags] [--] command [args...]     run a program as PID 1\n" +
		"nodeinit " + strings.Join(names[:len(names)-1], "|") + "\n\n" + // help is below
		config.Usage() +
		"  -h, --help; --version; nodeinit help NAME. --grace 5s is NODEINIT_GRACE=5s too\n"
}
