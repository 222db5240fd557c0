const fastify = require('fastify');

const body = `${process.env.BENCH_REPLICA || process.pid}\n`;
const app = fastify();
app.get('/', async () => body);
app
  .listen({ port: Number(process.env.PORT), host: '0.0.0.0' })
  .then(() => console.log('the application listens'));
