package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// world is a directory with programs and packages: bin is PATH, the rest are
// projects. $W stands for its path.
var world = map[string]string{
	"bin/node": "\x7fELF", "bin/bun": "\x7fELF", "bin/deno": "\x7fELF", "bin/sh": "\x7fELF", "bin/python": "\x7fELF",
	"bin/launcher": "\x7fELF", "bin/tini": "\x7fELF", "bin/env": "\x7fELF",
	"bin/npm":    "#!/usr/bin/env node\n",
	"bin/server": "#!/usr/bin/env node\n", "bin/absolute": "#!/usr/local/bin/node --no-warnings\n", "bin/split": "#!/usr/bin/env -S node --import tsx\n",
	"bin/py": "#!/usr/bin/env python\n", "bin/bunny": "#!/usr/bin/env bun\n", "bin/typed": "#!/usr/bin/env -S npx tsx\n",
	"bin/start.sh":  "#!/bin/sh\ncd /app && node server.js\n",
	"bin/other.sh":  "#!/bin/sh\nexec nginx\n",
	"bin/args.sh":   "#!/bin/bash\n. /secrets\nexec \"$@\"\n",
	"bin/resets.sh": "#!/bin/sh\nexport NODE_OPTIONS=--title=x\nnode server.js\n",
	"bin/keeps.sh":  "#!/bin/sh\nexport NODE_OPTIONS=\"$NODE_OPTIONS --title=x\"\nnode server.js\n",
	"bin/docker-entrypoint.sh": `#!/bin/sh
set -e

# Run command with node if the first argument contains a "-" or is not a system command. The last
# part inside the "{}" is a workaround for the following bug in ash/dash:
# https://bugs.debian.org/cgi-bin/bugreport.cgi?bug=874264
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi

exec "$@"
`,
	"app/package.json": `{"name": "app", "version": "1.2.3", "config": {"port": 80, "deep": {"on": true, "off": false, "list": ["a"]}}, "engines": {"node": ">=18"},
		"scripts": {
			"start": "node server.js", "options": "node --import tsx -r ./x src/server.ts --port 80", "quoted": "node 'a b.js' \"c d\"",
			"and": "node migrate.js && node server.js", "var": "node server.js $PORT", "assign": "NODE_ENV=production node server.js",
			"glob": "node *.js", "exec": "exec node server.js", "tsx": "tsx server.ts", "tool": "tool start", "again": "npm run start -- again",
			"loop": "npm run loop", "eval": "node -e 1", "test-runner": "node --test", "daemon": "pm2-runtime server.js", "py": "python app.py",
			"resets": "NODE_OPTIONS=--title=x node server.js", "resets-late": "NODE_OPTIONS=--title=x tsx server.ts", "cross": "cross-env NODE_OPTIONS=--title=x node server.js",
			"keeps": "NODE_OPTIONS=\"$NODE_OPTIONS --title=x\" node server.js", "bun": "bun server.ts", "dollar": "node \"$x.js\"",
			"hooked": "node server.js", "prehooked": "node migrate.js", "after": "node server.js", "postafter": "true", "here": "./local",
			"unclosed": "node 'x", "empty": ""
		}}`,
	"app/server.js": "", "app/server.ts": "", "app/script": "", "app/main": "#!/usr/bin/env node\n", "app/local": "#!/usr/bin/env node\n", "app/sub/x.js": "",
	"app/node_modules/tool/cli.js": "#!/usr/bin/env node\n", "app/node_modules/.bin/shim": "#!/bin/sh\nexec node \"$basedir/../tool/cli.js\" \"$@\"\n",
	"app/node_modules/tsx/cli.mjs": "#!/usr/bin/env node\n",
	"noscripts/package.json":       `{}`, "noscripts/server.js": "",
	"broken/package.json": `{"scripts": {"start": 1}}`,
	"berry/package.json":  `{"scripts": {"start": "node server.js"}}`, "berry/.yarnrc.yml": "",
	"rc/package.json": `{"scripts": {"start": "node server.js"}}`, "rc/.npmrc": "node-options=--title=x\n",
	"pinned/package.json": `{"scripts": {"start": "node server.js"}, "pnpm": {"executionEnv": {"nodeVersion": "20.1.0"}}}`,
	"none/readme":         "",
}

// makeWorld writes the files of world. Those in bin and those with #! are
// executable.
func makeWorld(t *testing.T) string {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range world {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") || strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"app/node_modules/.bin/tool": "../tool/cli.js", "app/node_modules/.bin/tsx": "../tsx/cli.mjs", "bin/linked": "../app/main"} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// Text between « and » is one word. want is the join, the runtime, and the command
// line if that is another; or after a colon a part of the reason.
var commandLines = []struct{ dir, line, want string }{
	// node itself
	{"app", "node server.js", "direct node"},
	{"app", "/usr/local/bin/node server.js", "direct node"},
	{"app", "nodejs server.js", "direct node"},
	{"app", "node22 server.js", "direct node"},
	{"app", "node .", "direct node"},
	{"app", "node --import tsx server.ts", "direct node"},
	{"app", "node -r x -r y server.js -e z", "direct node"},
	{"app", "node --env-file .env --max-old-space-size=100 server.js", "direct node"},
	{"app", "node --max_old_space_size=100 --env_file .env server.js", "direct node"},
	{"app", "node --inspect server.js --test", "direct node"},
	{"app", "node -- server.js", "direct node"},
	{"app", "node --watch server.js", "late node"},
	{"app", "node --watch-path src server.js", "late node"},
	{"app", "node", "none node: standard input"},
	{"app", "node -", "none node: standard input"},
	{"app", "node --import tsx", "none node: standard input"},
	{"app", "node -r x.js", "none node: standard input"},
	{"app", "node -e 1", "none node: node -e runs no script"},
	{"app", "node --title x -p 1", "none node: node -p runs no script"},
	{"app", "node --eval=1 server.js", "none node: --eval"},
	{"app", "node --version", "none node: --version"},
	{"app", "node --check server.js", "none node: --check"},
	{"app", "node --test", "none node: node --test starts processes"},
	{"app", "node inspect server.js", "none node: debugger"},
	{"app", "node --run start", "direct node = node server.js"},
	{"app", "node --run=start -- -x", "direct node = node server.js -x"},
	{"app", "node --run start x", "late node"},
	{"app", "node --title x --run start", "late node"},
	{"app", "node --run hooked", "direct node = node server.js"},
	{"app", "node --run and", "late node"},
	{"app", "node --run nothing", "none node: no script \"nothing\" in $W/app/package.json"},
	// package managers
	{"app", "npm start", "direct node = node server.js"},
	{"app", "/opt/npm start", "direct node = node server.js"},
	{"app/sub", "npm start", "direct node = node server.js"},
	{"none", "npm --prefix ../app start", "direct node = node server.js"},
	{"none", "npm --prefix=$W/app run start", "direct node = node server.js"},
	{"app", "npm -s run --silent options", "direct node = node --import tsx -r ./x src/server.ts --port 80"},
	{"app", "npm run start -- --port 80", "direct node = node server.js --port 80"},
	{"app", "npm run start x", "direct node = node server.js x"},
	{"app", "npm run start --port 80", "late node"},
	{"app", "npm --workspace a start", "late node"},
	{"app", "npm run quoted", "direct node = node «a b.js» «c d»"},
	{"app", "npm run exec", "direct node = node server.js"},
	{"app", "npm run again", "direct node = node server.js again"},
	{"app", "npm run bun", "direct bun = bun server.ts"},
	{"app", "npm run here", "direct node = ./local"},
	{"app", "npm run loop", "late"},
	{"app", "npm run and", "late node"},
	{"app", "npm run var", "late node"},
	{"app", "npm run assign", "direct node = node server.js"},
	{"app", "npm run glob", "late node"},
	{"app", "npm run dollar", "late node"},
	{"app", "npm run unclosed", "late node"},
	{"app", "npm run empty", "late node"},
	{"app", "npm run tsx", "late node"},
	{"app", "npm run tool", "late node"},
	{"app", "npm run keeps", "late node"},
	{"app", "npm run hooked", "late node"},
	{"app", "npm run after", "late node"},
	{"app", "npm run nothing", "late node"},
	{"app", "npm run eval", "none node: node -e runs no script"},
	{"app", "npm run test-runner", "none node: --test"},
	{"app", "npm run daemon", "none node: pm2-runtime starts and watches"},
	{"app", "npm run resets", "direct node = node server.js"},
	{"app", "npm run resets-late", "none node: sets NODE_OPTIONS"},
	{"app", "npm run cross", "none node: sets NODE_OPTIONS"},
	{"app", "npm run py", "late"},
	{"app", "npm run", "none node: npm run runs no server"},
	{"app", "npm ci", "none node: npm ci runs no server"},
	{"app", "npm exec tool", "late node"},
	{"app", "yarn start", "direct node = node server.js"},
	{"app", "yarn options --debug", "direct node = node --import tsx -r ./x src/server.ts --port 80 --debug"},
	{"none", "yarn --cwd ../app start", "direct node = node server.js"},
	{"app", "yarn start -- x", "late node"},
	{"app", "yarn tool", "late node"},
	{"app", "yarn", "none node: runs no server"},
	{"app", "yarn install", "none node: runs no server"},
	{"app", "pnpm start --x", "direct node = node server.js --x"},
	{"none", "pnpm -C ../app run start", "direct node = node server.js"},
	{"app", "pnpm --filter x start", "late node"},
	{"app", "pnpm exec tool", "late node"},
	{"app", "npx tsx server.ts", "late node"},
	{"app", "npx", "late node"},
	{"app", "npx --yes pm2-runtime server.js", "none node: pm2-runtime starts and watches"},
	{"app", "npx -p pm2 -- pm2@6 start server.js", "none node: pm2 starts and watches"},
	{"app", "yarn pm2-runtime server.js", "none node: pm2-runtime starts and watches"},
	{"app", "npm run pm2-runtime", "late node"},
	{"app", "npx node server.js", "late node"},
	{"app", "corepack yarn start", "late node"},
	{"app", "corepack yarn install", "none node: runs no server"},
	{"app", "corepack enable", "late node"},
	{"noscripts", "npm start", "direct node = node server.js"},
	{"noscripts", "yarn start", "late node"},
	{"broken", "npm start", "late node"},
	{"berry", "yarn start", "late node"},
	{"rc", "npm start", "late node"},
	{"pinned", "pnpm start", "late node"},
	{"none", "npm start", "late node"},
	// shells
	{"app", "sh -c «node server.js»", "direct node = node server.js"},
	{"app", "/bin/sh -c «exec node server.js»", "direct node = node server.js"},
	{"app", "bash -ec «npm start»", "direct node = node server.js"},
	{"app", "bash -lc «node server.js»", "late node"},
	{"app", "bash -o pipefail -c «node server.js | cat»", "late node"},
	{"app", "sh -c «node migrate.js && node server.js»", "late node"},
	{"app", "sh -c «node migrate.js && node server.js 2>&1»", "late node"},
	{"app", "sh -c «node a.js & node b.js»", "none node: several programs at once"},
	{"app", "sh -c «nginx & node b.js»", "late node"},
	{"app", "npx concurrently «node a.js» «node b.js»", "none node: several programs at once"},
	{"app", "sh -c «PORT=1 /usr/bin/node server.js»", "direct node = /usr/bin/node server.js"},
	{"app", "sh -c «PORT=$X node server.js»", "late node"},
	{"app", "sh -c «1=1 node server.js»", "late node"},
	{"app", "sh -c «A=1»", "late"},
	{"app", "sh -c «NODE_OPTIONS=--x node server.js»", "direct node = node server.js"},
	{"app", "sh -c «NODE_OPTIONS=--x tsx server.ts»", "none node: sets NODE_OPTIONS"},
	{"app", "sh -c «export NODE_OPTIONS=--x; node server.js»", "none node: sets NODE_OPTIONS"},
	{"app", "sh -c «nginx; python app.py»", "late"},
	{"app", "sh -c «node -e 1»", "none node: node -e"},
	{"app", "sh -c", "late"},
	{"app", "sh", "late"},
	{"app", "sh ../bin/start.sh", "late node"},
	{"app", "start.sh", "late node"},
	{"app", "keeps.sh", "late node"},
	{"app", "resets.sh", "none node: sets NODE_OPTIONS"},
	{"app", "other.sh", "late"},
	{"app", "args.sh node server.js", "late node"},
	{"app", "args.sh python app.py", "late"},
	{"app", "docker-entrypoint.sh node server.js", "direct node = node server.js"},
	{"app", "docker-entrypoint.sh server.js", "direct node = node server.js"},
	{"app", "docker-entrypoint.sh --no-warnings server.js", "direct node = node --no-warnings server.js"},
	{"app", "docker-entrypoint.sh npm run and", "late node"},
	// other programs
	{"app", "server", "direct node"},
	{"app", "absolute", "direct node"},
	{"app", "split server.ts", "direct node"},
	{"app", "linked", "direct node"},
	{"app", "./main", "direct node"},
	{"app", "bunny", "direct bun"},
	{"app", "typed server.ts", "late node"},
	{"app", "node_modules/.bin/tool", "late node"},
	{"app", "node_modules/.bin/shim", "late node"},
	{"app", "node_modules/.bin/tsx server.ts", "late node"},
	{"app", "tsx server.ts", "late node"},
	{"app", "env A=1 node server.js", "late node"},
	{"app", "env NODE_OPTIONS=--x node server.js", "none node: sets NODE_OPTIONS"},
	{"app", "launcher run -- npm start", "late node"},
	{"app", "launcher run", "late"},
	{"app", "gosu node node server.js", "late node"},
	{"app", "gosu node python app.py", "late"},
	{"app", "tini -- node server.js", "direct node = node server.js"},
	{"app", "/sbin/tini -s -v npm start", "direct node = node server.js"},
	{"app", "tini -g -- node server.js", "late node"},
	{"app", "dumb-init sh -c «node a && node b»", "late node = sh -c «node a && node b»"},
	{"app", "pm2-runtime server.js", "none node: pm2-runtime starts and watches"},
	{"app", "py", "late"},
	{"app", "python app.py", "late"},
	{"app", "nothing-there", "late"},
	// other runtimes
	{"app", "bun server.ts", "direct bun"},
	{"app", "bun run ./server.ts", "direct bun"},
	{"app", "bun -r x --smol server.ts", "direct bun"},
	{"app", "bun run start", "none bun: bun server.ts"},
	{"app", "bun start", "none bun: bun server.ts"},
	{"app", "bun -e 1", "none bun"},
	{"app", "deno run -A server.ts", "direct deno"},
	{"app", "deno server.ts", "direct deno"},
	{"app", "deno task start", "none deno: deno run server.ts"},
	{"app", "deno serve server.ts", "none deno: --parallel"},
}

// fields splits line at spaces that are not between « and ».
func fields(line string) []string {
	var list []string
	for i, part := range strings.Split(line, "«") {
		if i > 0 {
			var word string
			word, part, _ = strings.Cut(part, "»")
			list = append(list, word)
		}
		list = append(list, strings.Fields(part)...)
	}
	return list
}
