// A server whose answers take as many milliseconds as their path says, with what
// argv[2] names: one of the libraries that see to the end of a process, or want to
// hear of it, used as its documentation shows.
'use strict';
const library = process.argv[2];
const before = { // what has to be there before the server
  'dd-trace': () => require('dd-trace').init({ startupLogs: false }),
  newrelic: () => require('newrelic'),
  'opentelemetry register': () => require('@opentelemetry/auto-instrumentations-node/register'),
};

const answer = (request, response) => {
  console.log(`asked ${request.url}`);
  setTimeout(() => response.end(`pid ${process.pid}\n`), Number(request.url.slice(1)));
};
const port = Number(process.env.PORT);
const noise = () => {};

const use = {
  none: noise,
  'dd-trace': noise,
  newrelic: noise,
  'opentelemetry register': noise,
  terminus: (server) => require('@godaddy/terminus').createTerminus(server, { onSignal: async () => {} }),
  'terminus with a delay': (server) => require('@godaddy/terminus').createTerminus(server, {
    beforeShutdown: () => new Promise((resolve) => { setTimeout(resolve, 3000); }),
  }),
  lightship: async (server) => {
    const { createLightship } = await import('lightship');
    const lightship = await createLightship({ detectKubernetes: false, port: 0 });
    lightship.registerShutdownHandler(() => new Promise((resolve) => { server.close(resolve); }));
    lightship.signalReady();
  },
  'http-terminator': (server) => {
    const { createHttpTerminator } = require('http-terminator');
    const terminator = createHttpTerminator({ server });
    process.on('SIGTERM', async () => {
      await terminator.terminate();
      process.exit(0);
    });
  },
  stoppable: (server) => {
    require('stoppable')(server);
    process.on('SIGTERM', () => server.stop());
  },
  'close-with-grace': (server) => require('close-with-grace')({ delay: 5000 }, () => new Promise((resolve) => { server.close(resolve); })),
  'http-graceful-shutdown': (server) => require('http-graceful-shutdown')(server),
  'signal-exit': () => require('signal-exit').onExit(noise),
  'opentelemetry sdk': () => {
    const { NodeSDK } = require('@opentelemetry/sdk-node');
    const sdk = new NodeSDK({ traceExporter: undefined });
    sdk.start();
    process.on('SIGTERM', () => {
      sdk.shutdown()
        .then(() => console.log('Tracing terminated'))
        .catch((error) => console.log('Error terminating tracing', error))
        .finally(() => process.exit(0));
    });
  },
  'exits at once': () => process.on('SIGTERM', () => process.exit(0)),
  'says so': () => process.on('SIGTERM', () => console.log('SIGTERM')),
};

before[library]?.();
if (library === 'nest') require('./nest.js')(answer, port).then(() => console.log('up'));
else {
  const server = require('http').createServer(answer);
  Promise.resolve(use[library](server)).then(() => server.listen(port, '127.0.0.1', () => console.log('up')));
}
