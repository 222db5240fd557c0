const fastify = require('fastify');

const app = fastify();
app.get('/', async () => `pid ${process.pid}\n`);
app.listen({ port: Number(process.env.PORT || 3000), host: '0.0.0.0' });

process.on('SIGTERM', async () => {
  await app.close();
  process.exit(0);
});
