// Has a Unix socket to talk to its child, as tsx does, and passes messages on if
// it has somebody to pass them to.
const server = require('net').createServer();
server.listen(process.argv[2], () => {
  const stdio = process.send ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit';
  require('child_process').spawn(process.execPath, [process.argv[3]], { stdio }).on('exit', (code) => {
    server.close();
    process.exitCode = code ?? 99;
  });
});
