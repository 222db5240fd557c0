const http = require('http');
const { PrometheusExporter } = require('@opentelemetry/exporter-prometheus');
const { MeterProvider } = require('@opentelemetry/sdk-metrics');

const exporter = new PrometheusExporter({ port: +process.env.METRICS_PORT || 9464 });
const meter = new MeterProvider({ readers: [exporter] }).getMeter('app');
const hits = meter.createCounter('app_hits', { description: 'Requests.' });
const size = meter.createHistogram('app_answer_size', { unit: 'By' });
http.createServer((request, response) => {
  hits.add(1);
  size.record(1);
  response.end(process.env.NODEINIT_WORKER);
}).listen(process.env.PORT || 3000);
