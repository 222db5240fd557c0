const server = Deno.serve({ port: Number(Deno.env.get('PORT') || 3000), reusePort: true }, () => {
  return new Response(`pid ${Deno.pid}\n`);
});
Deno.addSignalListener('SIGTERM', () => server.shutdown().then(() => Deno.exit(0)));
