globalThis.hooked = 'imported';
