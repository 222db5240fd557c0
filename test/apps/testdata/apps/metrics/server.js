const express = require('express');
const bundle = require('express-prom-bundle');
const client = require('prom-client');

if (process.env.OPENMETRICS) client.register.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE);
const hits = new client.Counter({ name: 'app_hits_total', help: 'Requests.', labelNames: ['worker'] });
const app = express();
app.use(bundle({ includeMethod: true, includePath: true, promClient: { collectDefaultMetrics: {} } }));
app.get('/', (request, response) => {
  hits.inc({ worker: 'of the application' });
  response.send(process.env.NODEINIT_WORKER);
});
app.listen(process.env.PORT || 3000);
