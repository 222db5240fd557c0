'use strict';
// A server that logs, with the logger that its argument names, as that logger is used.
const http = require('node:http');

const port = process.env.PORT || 3000;
const failure = () => new Error('out of stock');

// serve answers each request after log has logged it.
function serve(log) {
  const server = http.createServer((request, response) => {
    log(request);
    response.end(`pid ${process.pid}\n`);
  });
  server.listen(port);
  process.on('SIGTERM', () => server.close());
}

const loggers = {
  pino() {
    const log = require('pino')();
    serve((request) => {
      log.info({ url: request.url }, 'request');
      log.warn('slow');
      log.error(failure(), 'failed');
    });
  },
  bunyan() {
    const log = require('bunyan').createLogger({ name: 'shop' });
    serve((request) => {
      log.info({ url: request.url }, 'request');
      log.warn('slow');
      log.error(failure(), 'failed');
    });
  },
  winston() {
    const winston = require('winston');
    const format = winston.format.combine(winston.format.errors({ stack: true }), winston.format.json());
    const log = winston.createLogger({ format, transports: [new winston.transports.Console()] });
    serve((request) => {
      log.info('request', { url: request.url });
      log.warn('slow');
      log.error(failure());
    });
  },
  console() {
    serve((request) => {
      console.log('request %s', request.url);
      console.log({ url: request.url, headers: { host: 'shop', accept: '*/*', 'user-agent': 'a long one, so that it takes lines' } });
      console.warn('slow');
      console.error(failure());
    });
  },
  nest: () => nest({}),
  'nest-json': async () => {
    const { ConsoleLogger } = require('@nestjs/common');
    await nest({ logger: new ConsoleLogger({ json: true }) });
  },
};

// nest is a Nest application, without the decorators that need a compiler.
async function nest(options) {
  require('reflect-metadata');
  const { Module, Logger } = require('@nestjs/common');
  const { NestFactory } = require('@nestjs/core');
  class App {}
  Module({})(App);
  const app = await NestFactory.create(App, options);
  const log = new Logger('Shop');
  app.enableShutdownHooks();
  app.use((request, response) => {
    log.log(`request ${request.url}`);
    log.warn('slow');
    log.error('failed', failure().stack);
    response.send(`pid ${process.pid}\n`);
  });
  await app.listen(port);
}

loggers[process.argv[2]]();
