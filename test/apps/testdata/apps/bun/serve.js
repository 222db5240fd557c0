const server = Bun.serve({
  port: process.env.PORT || 3000,
  fetch: () => new Response(`pid ${process.pid}\n`),
});
process.on('SIGTERM', () => server.stop());
