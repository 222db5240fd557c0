package node

// bunValues are options of bun, before the script, that take the next argument.
const bunValues = `
	-r --preload --require --import --cwd -c --config --env-file --conditions --port --tsconfig-override -d --define
	-l --loader`

// bun is bun [run] server.ts.
func (c commandLine) bun() Program {
	at := skipOptions(c.argv, 1, bunValues)
	if at < len(c.argv) && c.argv[at] == "run" {
		at = skipOptions(c.argv, at+1, bunValues)
	}
	if at < len(c.argv) && c.isScript(c.argv[at]) {
		return c.direct(RuntimeBun)
	}
	return c.none(RuntimeBun, "bun passes the channel on to no process below it (name the script instead: bun server.ts)")
}
