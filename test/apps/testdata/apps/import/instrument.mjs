// Comes before the application, as OpenTelemetry and the like do.
import { subscribe } from 'node:diagnostics_channel';

subscribe('http.server.request.start', ({ response }) => {
  response.setHeader('X-Instrumented', 'yes');
});
