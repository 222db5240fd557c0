// What --import has Node run first: it runs the modules in NODEINIT_MODULES, each
// a function of require. They are not in the URL itself because one of that
// length costs Node a millisecond, and not ES modules because importing what is
// built in costs as much.
const { env, getBuiltinModule } = process;
const require = getBuiltinModule ?? (await import('node:module')).createRequire('file:///'); // not in 18 and 22.0
for (const module of env.NODEINIT_MODULES?.split(' ') ?? []) {
  const [filename, source] = module.split('=');
  require('vm').compileFunction(Buffer.from(source, 'base64url').toString(), ['require'], { filename })(require);
}
