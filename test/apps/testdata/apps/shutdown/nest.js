'use strict';
require('reflect-metadata');

// A Nest application, without the decorators that need a compiler.
module.exports = async (answer, port) => {
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  class App {}
  Module({})(App);
  const app = await NestFactory.create(App, { logger: false });
  app.enableShutdownHooks();
  app.use(answer);
  await app.listen(port, '127.0.0.1');
};
