// What applications have Node require first.
globalThis.hooked = `hooked ${require.main === module}`;
