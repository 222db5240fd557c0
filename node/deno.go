package node

// denoValues are options of deno, before the script, that take the next argument.
const denoValues = "-c --config --import-map --env-file --preload --location --cert --seed"

// deno is deno [run] server.ts.
func (c commandLine) deno() Program {
	at := skipOptions(c.argv, 1, denoValues)
	command := ""
	if at < len(c.argv) {
		command = c.argv[at]
	}
	switch {
	case command == "run" && skipOptions(c.argv, at+1, denoValues) < len(c.argv), command != "" && c.isScript(command):
		return c.direct(RuntimeDeno)
	case command == "serve":
		return c.none(RuntimeDeno, "deno serve does not know cluster workers (write deno serve --parallel, in fork mode)")
	default:
		return c.none(RuntimeDeno, "deno passes the channel on to no process below it (write deno run server.ts)")
	}
}
